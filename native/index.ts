/**
 * Dynamic batching over ONNX Runtime for Node, Bun and Deno.
 *
 * ```ts
 * import { openEngine } from 'millrace/native';
 *
 * const engine = openEngine();
 * const model = await engine.load({ path: 'models/iris/v1.0/model.onnx' });
 * const features = { type: 'float32', dims: [1, 4], data: Float32Array.of(5.1, 3.5, 1.4, 0.2) } as const;
 * const { outputs } = await model.run({ features });
 * await engine.close();
 * ```
 *
 * @module
 */

import { defaultLibrary, fromAddon, loadAddon } from './binding.ts';
import { Channel } from './channel.ts';
import { openCodec } from './codec.ts';
import { NativeEngineHandle } from './engine.ts';
import type { Engine, EngineOptions } from './engine-types.ts';
import { errorCode, MillraceError } from './errors.ts';
import { openImages } from './images.ts';

export { datatypes, openCodec, tensorBytes } from './codec.ts';
export type * from './codec-types.ts';
export type * from './device-types.ts';
export { elementArrays, elementsIn } from './elements.ts';
export type * from './engine-types.ts';
export type { MillraceErrorCode } from './errors.ts';
export { MillraceError } from './errors.ts';
export type * from './generation-types.ts';
export type * from './image-types.ts';
export { openImages } from './images.ts';
export { countPackedStrings, packStrings, unpackStrings } from './packed-strings.ts';
export { quote, shorten } from './quote.ts';
export type * from './run-types.ts';
export type * from './tensor-types.ts';
export type * from './types.ts';

/**
 * Opens the engine for this JavaScript thread. Threads of one process share models, instances and
 * counters; each opens an engine of its own and closes it.
 *
 * @throws {MillraceError} `NOT_FOUND` or `FAILED_PRECONDITION` where the addon or ONNX Runtime cannot
 * be loaded, saying what was tried and what to do.
 */
export function openEngine(options: EngineOptions = {}): Engine {
  const addon = loadAddon(options.addon);
  let channel: Channel | undefined;
  try {
    const native = addon.open(
      options.library ?? defaultLibrary(),
      () => channel?.turn(),
      (slot, code, message, generation) =>
        (generation ? channel?.generations : channel)?.overdue(
          slot,
          new MillraceError(errorCode(code), message),
        ),
      threadsOf(options),
    );
    channel = new Channel(native);
    return new NativeEngineHandle(native, channel, openCodec(options), openImages(options));
  } catch (cause) {
    throw fromAddon(cause);
  }
}

function threadsOf({ threads = 1 }: EngineOptions): number {
  if (Number.isInteger(threads) && threads >= 1 && threads <= 1024) return threads;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `threads is ${threads}: expected a whole number from 1 to 1024`,
  );
}
