/** @module The options of a device, in the form the addon takes. It knows their names and values. */

import { resolve } from 'node:path';
import type { NativeDevice } from './binding.ts';
import { MillraceError } from './errors.ts';
import type { LoadOptions } from './types.ts';

/** @throws {MillraceError} `INVALID_ARGUMENT` that names the option, what it is and what it may be. */
export function nativeDevice(options: LoadOptions): NativeDevice {
  const { device = 'cpu', engineCache } = options;
  if (typeof device !== 'string') {
    throw invalid(`device is ${device}: expected a text such as 'cpu' or 'cuda:0'`);
  }
  if (engineCache !== undefined && typeof engineCache !== 'string') {
    throw invalid(`engineCache is ${engineCache}: expected the path of a folder`);
  }
  return {
    device,
    deviceOptions: texts('deviceOptions', options.deviceOptions),
    providerOptions: texts('providerOptions', options.providerOptions),
    cacheFolder: engineCache === undefined ? '' : resolve(engineCache),
  };
}

function texts(name: string, values: object = {}): Record<string, string> {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw invalid(`${name} is ${values}: expected an object`);
  }
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([key, value]) => [key, text(`${name}.${key}`, value)]));
}

function text(name: string, value: unknown): string {
  if (['boolean', 'number', 'bigint', 'string'].includes(typeof value)) return String(value);
  throw invalid(`${name} is ${value}: expected a boolean, a number or a text`);
}

const invalid = (message: string) => new MillraceError('INVALID_ARGUMENT', message);
