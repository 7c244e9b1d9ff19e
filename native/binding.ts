/**
 * The functions of the addon as TypeScript types, and how to find its binary. Only this file loads it.
 *
 * @module
 */

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeAxis } from './axes.ts';
import type { DeviceReport } from './device-types.ts';
import type { NativeDevice } from './devices.ts';
import type { EngineInfo, FileTensor } from './engine-types.ts';
import { MillraceError, type MillraceErrorCode } from './errors.ts';
import type { NativeGenerations } from './generation-binding.ts';
import type { CostPoint, Histogram, ModelStats, TensorSpec } from './types.ts';

/** The numbers of the enum `BatchingMode` in addon/loaded_model.h. */
export const BATCHING_MODES = { auto: 0, declared: 1, off: 2 } as const;

/** The numbers of the enum `PolicyKind` in batching/policy.h. */
export const POLICIES = { busy: 0, timer: 1, excess: 2 } as const;

/** A `PixelInput` for the input of this name. */
export interface NativePixels {
  input: string;
  scale: number;
  mean: Float32Array;
  std: Float32Array;
  /** 1 swaps the first and the third channel, 0 keeps them. */
  reverse: number;
  /** 1 if requests may also have the model's own form. */
  either: number;
}

/** `LoadOptions` with all defaults filled in. A duration has its unit in its name. */
export interface NativeLoadOptions extends NativeDevice {
  /** Loads with equal keys share one session. */
  key: string;
  digest: string;
  /** The folder for copies of external data while loading. With '' they are made in the system's temporary folder. */
  copyFolder: string;
  path?: string;
  bytes?: Uint8Array;
  /** One of `BATCHING_MODES`. */
  batching: number;
  maxRows: number;
  maxRequestRows: number;
  /** One of `POLICIES`. */
  policy: number;
  maxDelayMs: number;
  maxQueue: number;
  /** The limit of each priority, from 0 on; 0 means no limit. */
  maxQueueByPriority: readonly number[];
  /** 0 means that the load measures how many are best. */
  instances: number;
  /** As `instances`. */
  intraOpThreads: number;
  spinUs: number;
  weight: number;
  runLimitMs: number;
  inlineLimitUs: number;
  warmupMs: number;
  costs?: readonly CostPoint[];
  axes: readonly NativeAxis[];
  /** 0 means no limit. */
  maxElements: number;
  rowBuckets: readonly number[];
  dimensions: readonly { readonly name: string; readonly size: number }[];
  pixels: readonly NativePixels[];
}

/** A loaded model as one JavaScript thread sees it. */
export interface NativeModel {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly batched: boolean;
  readonly reason: string;
  readonly maxRows: number;
  readonly instances: number;
  readonly intraOpThreads: number;
  readonly report: DeviceReport;
  /** The names of the inputs that are masks, which requests may leave out. */
  readonly masks: readonly string[];
  /** The names of the inputs for which requests may have pixels instead. */
  readonly pixels: readonly string[];
  /** Whether requests are padded along the declared axes. */
  readonly pads: boolean;
  /**
   * Submits the request whose options and shapes are in the mailbox, with the data of its inputs in the signature's
   * order and, if an output is to be pooled, the words of `poolingWords`. Returns the request's slot, or the negative
   * number of an error code. With UNAVAILABLE the mailbox then starts with the milliseconds after which to try again.
   */
  submit(...values: readonly unknown[]): number;
  /** Makes sure that an instance sees the requests that were submitted without waking one. */
  wake(): void;
  /** Returns null once the model has been released. */
  stats(): ModelStats | null;
  release(): Promise<void>;
}

/** What the addon reads from the files of a model. */
export interface NativeFacts {
  /** SHA-256 of the model and its external data, hexadecimal. */
  readonly digest: string;
  /** Whether the model has control flow, so that the time of a run may depend on the data. */
  readonly controlFlow: boolean;
  /** As the file declares them; `type` is '' for what is no tensor. */
  readonly inputs: readonly FileTensor[];
  readonly outputs: readonly FileTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The addon's object for one JavaScript thread. All its functions must be called on that thread. */
export interface NativeEngine extends NativeGenerations {
  readonly info: EngineInfo;
  readonly mailbox: ArrayBuffer;
  inspect(source: string | Uint8Array): Promise<NativeFacts>;
  load(options: NativeLoadOptions): Promise<NativeModel>;
  /** Writes records of finished requests to the mailbox. Returns how many, which is 0 when all have been drained. */
  drain(): number;
  /** Has the event loop call `onReady` once the callbacks that it is running now have returned. */
  callSoon(): void;
  /** Copies the elements of an output to `target`. */
  take(slot: number, output: number, target: ArrayBufferView): void;
  /** Returns the strings of an output, or null if one of them is not UTF-8. */
  strings(slot: number, output: number): string[] | null;
  /** Returns the strings of an output as bytes, as `packStrings` makes them. */
  packedStrings(slot: number, output: number): ArrayBuffer;
  /** Returns why a request failed or, without a slot, why `submit` has just refused one. */
  message(slot?: number): string;
  cancel(slot: number): void;
  /** Makes a slot free again whose record has the flag `FLAG_RETAINED`. */
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
    onEarly: (slot: number, code: number, message: string, generation: boolean) => void,
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
    // The lines after the first only list the modules that required it.
    const [reason] = String(cause instanceof Error ? cause.message : cause).split('\n');
    throw new MillraceError(
      'FAILED_PRECONDITION',
      `Cannot load the native addon ${path} on ${process.platform}-${process.arch}: ${reason}. ` +
        'Build it here with `npm run build`; Deno also needs --allow-ffi',
      { cause },
    );
  }
}

/** Returns what the addon threw as a `MillraceError`. */
export function fromAddon(cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause;
  const { code, message } = cause as Error & { code?: MillraceErrorCode };
  return new MillraceError(code ?? 'INTERNAL', message, { cause });
}

/**
 * Returns the path of the ONNX Runtime library inside the npm package `onnxruntime-node`.
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
