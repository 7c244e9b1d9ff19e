/** @module One JavaScript thread's engine. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import {
  BATCHING_AUTO,
  BATCHING_DECLARED,
  BATCHING_OFF,
  fromAddon,
  type NativeEngine,
  type NativeLoadOptions,
} from './binding.ts';
import type { Channel } from './channel.ts';
import { MillraceError, type MillraceErrorCode } from './errors.ts';
import { LoadedModel } from './model.ts';
import type { Counters, Engine, EngineInfo, LoadOptions, Model } from './types.ts';

const DEFAULT_MAX_ROWS = 64;
const DEFAULT_MAX_QUEUE = 1024;

export class NativeEngineHandle implements Engine {
  readonly info: EngineInfo;
  readonly counters: Counters;
  readonly #native: NativeEngine;
  readonly #channel: Channel;
  /** Models to close with the engine; weak, so that a model nobody holds can be collected. */
  readonly #models = new Set<WeakRef<LoadedModel>>();
  #loading = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(native: NativeEngine, channel: Channel) {
    this.#native = native;
    this.#channel = channel;
    this.info = Object.freeze(native.info);
    this.counters = {
      series: (key, bounds) => {
        try {
          return native.series(key, bounds);
        } catch (cause) {
          throw fromAddon(cause);
        }
      },
      observe: (series, seconds) => native.observe(series, seconds),
      snapshot: () => native.snapshot(),
    };
  }

  load(options: LoadOptions): Promise<Model> {
    if (this.#closing !== undefined) {
      return Promise.reject(
        new MillraceError('FAILED_PRECONDITION', 'The engine is closed: open another'),
      );
    }
    const loading = this.#load(options);
    this.#loading.add(loading);
    const done = () => this.#loading.delete(loading);
    loading.then(done, done);
    return loading;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #load(options: LoadOptions): Promise<Model> {
    const native = toNative(options);
    // Without a pause for bytes, since the caller may change them once load has returned.
    const digest =
      native.bytes === undefined ? await fileDigest(native.path!) : sha256(native.bytes);
    // External data is looked up beside the file, so equal files in two folders are two models.
    const folder = native.path === undefined ? '' : dirname(native.path);
    native.key = JSON.stringify([digest, folder, { ...native, bytes: undefined, path: undefined }]);
    const name =
      options.name ?? (native.path === undefined ? digest.slice(0, 12) : basename(native.path));
    try {
      const facts = { name, digest, device: options.device ?? 'cpu' };
      const handle = await this.#native.load(native);
      const model = new LoadedModel(facts, handle, this.#channel, (closed) => this.#forget(closed));
      this.#models.add(new WeakRef(model));
      return model;
    } catch (cause) {
      throw loadError(name, folder, cause);
    }
  }

  #forget(model: LoadedModel): void {
    for (const reference of this.#models) {
      const held = reference.deref();
      if (held === undefined || held === model) this.#models.delete(reference);
    }
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#loading);
    await Promise.all([...this.#models].map((reference) => reference.deref()?.close()));
    this.#channel.close();
  }
}

function toNative(options: LoadOptions): NativeLoadOptions {
  const { path, bytes, device = 'cpu', batching = {} } = options;
  if ((path === undefined) === (bytes === undefined)) {
    throw new MillraceError('INVALID_ARGUMENT', 'load needs exactly one of path and bytes');
  }
  if (path === undefined ? !(bytes instanceof Uint8Array) : typeof path !== 'string') {
    throw new MillraceError('INVALID_ARGUMENT', 'load needs path as text or bytes as a Uint8Array');
  }
  if (device !== 'cpu') {
    throw new MillraceError(
      'UNIMPLEMENTED',
      `Device '${device}' is not available in this build: use 'cpu'`,
    );
  }
  const declared = batching !== false && batching.maxRows !== undefined;
  const terms = batching === false ? {} : batching;
  return {
    key: '',
    ...(path === undefined ? {} : { path: resolve(path) }),
    ...(bytes === undefined ? {} : { bytes }),
    batching: batching === false ? BATCHING_OFF : declared ? BATCHING_DECLARED : BATCHING_AUTO,
    maxRows: whole('batching.maxRows', terms.maxRows, DEFAULT_MAX_ROWS, 1, 1 << 20),
    maxDelayMs: real('batching.maxDelayMs', terms.maxDelayMs, 0, 0, 60_000),
    maxQueue: whole('batching.maxQueue', terms.maxQueue, DEFAULT_MAX_QUEUE, 1, 1 << 16),
    lanes: whole('lanes', options.lanes, 1, 1, 64),
    intraOpThreads: whole('intraOpThreads', options.intraOpThreads, 1, 1, 256),
    // A spinning lane takes its core from the HTTP threads where there are only two.
    spinUs: availableParallelism() > 2 ? 20 : 0,
  };
}

function real(name: string, value: number | undefined, fallback: number, min: number, max: number) {
  if (value === undefined) return fallback;
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `${name} is ${value}: expected a number from ${min} to ${max}`,
  );
}

function whole(
  name: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
) {
  const number = real(name, value, fallback, min, max);
  if (Number.isInteger(number)) return number;
  throw new MillraceError('INVALID_ARGUMENT', `${name} is ${value}: expected a whole number`);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Digest of a file, read as a stream so that a large one does not hold up the event loop. */
async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  } catch (cause) {
    throw new MillraceError(
      'NOT_FOUND',
      `Cannot read the model file ${path}: ${(cause as Error).message}`,
      { cause },
    );
  }
  return hash.digest('hex');
}

/** Names the model and drops what ONNX Runtime adds for its own developers: folders, source lines. */
function loadError(name: string, folder: string, cause: unknown): unknown {
  if (cause instanceof MillraceError || !(cause instanceof Error)) return cause;
  const code = (cause as Error & { code?: MillraceErrorCode }).code ?? 'INTERNAL';
  const reason = cause.message
    .replaceAll(folder === '' ? '\0' : `${folder}/`, '')
    .replace(/\S*\.(?:cc|h):\d+ (?:[^()\n]*\((?:[^()]|\([^()]*\))*\)|\w+) /g, ' ')
    .replace(/failed: ?/g, 'failed: ')
    .trim();
  return new MillraceError(code, `Cannot load model '${name}': ${reason}`, { cause });
}
