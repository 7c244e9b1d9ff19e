/**
 * The addon as TypeScript sees it, and how to find it. Only this file touches the binary.
 *
 * @module
 */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeAxis } from './axes.ts';
import type { DeviceReport } from './device-types.ts';
import type { EngineInfo } from './engine-types.ts';
import { MillraceError, type MillraceErrorCode } from './errors.ts';
import type { CostPoint, Histogram, ModelStats, TensorSpec } from './types.ts';

/** Numbers are those of the enum `BatchingMode` in addon/loaded_model.h. */
export const BATCHING_AUTO = 0;
export const BATCHING_DECLARED = 1;
export const BATCHING_OFF = 2;

/** Numbers are those of the enum `PolicyKind` in batching/policy.h. */
export const POLICIES = { busy: 0, timer: 1, excess: 2 } as const;

export interface NativePixels {
  input: string;
  scale: number;
  mean: Float32Array;
  std: Float32Array;
  reverse: number;
}

export interface NativeDevice {
  device: string;
  /** By the names in device-types.ts, as text. */
  deviceOptions: Readonly<Record<string, string>>;
  providerOptions: Readonly<Record<string, string>>;
  /** '': none. */
  cacheFolder: string;
}

export interface NativeLoadOptions extends NativeDevice {
  key: string;
  digest: string;
  /** Where copies of external data are made while loading; '': where temporary files are. */
  copyFolder: string;
  path?: string;
  bytes?: Uint8Array;
  batching: number;
  maxRows: number;
  maxRequestRows: number;
  policy: number;
  maxDelayMs: number;
  maxQueue: number;
  /** 0: no limit. */
  maxQueueByPriority: readonly number[];
  instances: number;
  intraOpThreads: number;
  spinUs: number;
  weight: number;
  runLimitMs: number;
  inlineLimitUs: number;
  warmupMs: number;
  costs?: readonly CostPoint[];
  axes: readonly NativeAxis[];
  /** 0: no limit. */
  maxElements: number;
  rowBuckets: readonly number[];
  pixels: readonly NativePixels[];
}

export interface NativeModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly batched: boolean;
  readonly reason: string;
  readonly maxRows: number;
  readonly instances: number;
  readonly intraOpThreads: number;
  readonly report: DeviceReport;
  /** Inputs that may be left out. */
  readonly masks: readonly string[];
  /** Whether declared axes are padded. */
  readonly pads: boolean;
  /**
   * Terms and shapes travel in the mailbox. Returns the request's slot, or minus the error code; with
   * UNAVAILABLE the mailbox then starts with the milliseconds after which to try again.
   */
  submit(...inputs: readonly unknown[]): number;
  /** Makes sure that an instance sees the requests that were submitted without waking one. */
  wake(): void;
  /** Null once released. */
  stats(): ModelStats | null;
  release(): Promise<void>;
}

/** What a model's files hold. */
export interface NativeFacts {
  readonly digest: string;
  /** Whether nodes may run a number of times that depends on the data, so that runs differ in length. */
  readonly controlFlow: boolean;
}

export interface NativeEngine {
  readonly info: EngineInfo;
  readonly mailbox: ArrayBuffer;
  inspect(source: string | Uint8Array): Promise<NativeFacts>;
  load(options: NativeLoadOptions): Promise<NativeModel>;
  drain(): number;
  /** Has `onReady` called from the event loop, after what it is about now. */
  callSoon(): void;
  take(slot: number, output: number, target: ArrayBufferView): void;
  /** Null where one of them is not UTF-8. */
  strings(slot: number, output: number): string[] | null;
  packedStrings(slot: number, output: number): ArrayBuffer;
  message(slot?: number): string;
  cancel(slot: number): void;
  release(slot: number): void;
  series(key: string, bounds: readonly number[]): number;
  observe(series: number, seconds: number): void;
  add(series: number, amount: number): void;
  snapshot(): { key: string; histogram: Histogram }[];
  detach(): void;
}

interface Addon {
  open(
    library: string,
    onReady: () => void,
    onEarly: (slot: number, code: number, message: string) => void,
    jsThreads: number,
  ): NativeEngine;
}

const require = createRequire(import.meta.url);
const here = dirname(fileURLToPath(import.meta.url));

/**
 * Loads the addon.
 *
 * @param path The `.node` file. Default: the release build of this checkout.
 * @throws {MillraceError} `NOT_FOUND` or `FAILED_PRECONDITION`, saying what to do.
 */
export function loadAddon(path = join(here, '..', 'build', 'Release', 'millrace.node')): Addon {
  if (!existsSync(path)) {
    throw new MillraceError(
      'NOT_FOUND',
      `The native addon is not built: expected ${path}. Run \`npm run build\``,
    );
  }
  try {
    return require(resolve(path)) as Addon;
  } catch (cause) {
    // The lines after the first list who required it.
    const [reason] = String(cause instanceof Error ? cause.message : cause).split('\n');
    throw new MillraceError(
      'FAILED_PRECONDITION',
      `Cannot load the native addon ${path} on ${process.platform}-${process.arch}: ${reason}. ` +
        'Build it here with `npm run build`; Deno also needs --allow-ffi',
      { cause },
    );
  }
}

/** What the addon threw, as the engine's own error. */
export function fromAddon(cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause;
  const { code, message } = cause as Error & { code?: MillraceErrorCode };
  return new MillraceError(code ?? 'INTERNAL', message, { cause });
}

/**
 * Path of the ONNX Runtime library inside the npm package `onnxruntime-node`.
 *
 * @throws {MillraceError} `NOT_FOUND` where the package or a build for this platform is missing.
 */
export function defaultLibrary(): string {
  const remedy = 'Run `npm install onnxruntime-node`, or name a library with the option `library`';
  let root: string;
  try {
    root = dirname(require.resolve('onnxruntime-node/package.json'));
  } catch (cause) {
    throw new MillraceError(
      'NOT_FOUND',
      `The package onnxruntime-node is not installed. ${remedy}`,
      {
        cause,
      },
    );
  }
  const folder = join(root, 'bin', 'napi-v6', process.platform, process.arch);
  const library = join(folder, 'libonnxruntime.so.1');
  if (!existsSync(library)) {
    throw new MillraceError(
      'NOT_FOUND',
      `The package onnxruntime-node has no library for ${process.platform}-${process.arch}. ${remedy}`,
    );
  }
  return library;
}
