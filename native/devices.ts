/** @module The options of a device in the form in which the addon takes them. The addon checks their names and values. */

import { resolve } from 'node:path';
import { MillraceError } from './errors.ts';
import type { LoadOptions } from './types.ts';

/** The device options of a load, checked. */
export interface NativeDevice {
  device: string;
  /** Values as strings, by the names in device-types.ts. */
  deviceOptions: Readonly<Record<string, string>>;
  providerOptions: Readonly<Record<string, string>>;
  /** The folder of cached TensorRT engines. With '' they are not cached. */
  cacheFolder: string;
}

/** @throws {MillraceError} `INVALID_ARGUMENT` that names the option, what it is and what it may be. */
export function nativeDevice(options: LoadOptions): NativeDevice {
  const { device = 'cpu', engineCache } = options;
  if (typeof device !== 'string') {
    throw invalid(`device is ${device}: expected a string such as 'cpu' or 'cuda:0'`);
  }
  if (engineCache !== undefined && typeof engineCache !== 'string') {
    throw invalid(`engineCache is ${engineCache}: expected the path of a folder`);
  }
  return {
    device,
    deviceOptions: toStrings('deviceOptions', options.deviceOptions),
    providerOptions: toStrings('providerOptions', options.providerOptions),
    cacheFolder: engineCache === undefined ? '' : resolve(engineCache),
  };
}

function toStrings(name: string, values: object = {}): Record<string, string> {
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw invalid(`${name} is ${values}: expected an object`);
  }
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([key, value]) => [key, asString(`${name}.${key}`, value)]));
}

function asString(name: string, value: unknown): string {
  if (['boolean', 'number', 'bigint', 'string'].includes(typeof value)) return String(value);
  throw invalid(`${name} is ${value}: expected a boolean, a number or a string`);
}

const invalid = (message: string) => new MillraceError('INVALID_ARGUMENT', message);
