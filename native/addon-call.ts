/** @module Calls of functions of the addon whose promises other threads settle. */

import { fromAddon } from './binding.ts';
import { DenoWakeup } from './deno-wakeup.ts';

/** Calls a function of the addon, whose errors become `MillraceError`s, and for which Deno is woken. */
export type CallAddon = <T>(operation: () => Promise<T>) => Promise<T>;

export function addonCalls(): CallAddon {
  const wakeup = process.versions.deno === undefined ? undefined : new DenoWakeup();
  return async (operation) => {
    wakeup?.begin();
    try {
      return await operation();
    } catch (cause) {
      throw fromAddon(cause);
    } finally {
      wakeup?.end();
    }
  };
}
