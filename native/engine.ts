/** @module The engine of one JavaScript thread. */

import { createHash } from 'node:crypto';
import { basename, dirname, resolve } from 'node:path';
import {
  fromAddon,
  type NativeEngine,
  type NativeFacts,
  type NativeLoadOptions,
} from './binding.ts';
import type { Channel } from './channel.ts';
import type { Codec } from './codec-types.ts';
import { costFileIn, readCosts, writeCosts } from './costs.ts';
import type { Counters, Engine, EngineInfo, ModelFile } from './engine-types.ts';
import { MillraceError, type MillraceErrorCode } from './errors.ts';
import { toNativeGenerator } from './generation-options.ts';
import type { GenerativeModel, GeneratorOptions } from './generation-types.ts';
import { LoadedGenerator } from './generator.ts';
import type { Images } from './image-types.ts';
import { toNative } from './load-options.ts';
import { LoadedModel } from './model.ts';
import type { LoadOptions, Model, ModelStats } from './types.ts';

/** A model of any kind. */
interface Closable {
  close(): Promise<void>;
}

export class NativeEngineHandle implements Engine {
  readonly info: EngineInfo;
  readonly counters: Counters;
  readonly codec: Codec;
  readonly images: Images;
  readonly #native: NativeEngine;
  readonly #channel: Channel;
  /** The models to close with the engine. The references are weak, so that an unused model can be collected. */
  readonly #models = new Set<WeakRef<Closable>>();
  #loading = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(native: NativeEngine, channel: Channel, codec: Codec, images: Images) {
    this.#native = native;
    this.#channel = channel;
    this.codec = codec;
    this.images = images;
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
      add: (series, amount) => native.add(series, amount),
      snapshot: () => native.snapshot(),
    };
  }

  load(options: LoadOptions): Promise<Model> {
    return this.#whileOpen(() => this.#load(options));
  }

  loadGenerator(options: GeneratorOptions): Promise<GenerativeModel> {
    return this.#whileOpen(() => this.#loadGenerator(options));
  }

  inspect(path: string): Promise<ModelFile> {
    return this.#whileOpen(async () => {
      const facts = await this.#inspect({ path: resolve(path) }, undefined);
      const { digest, inputs, outputs, metadata } = facts;
      return { digest, inputs, outputs, metadata };
    });
  }

  /** Does work that `close` waits for, unless it was called before. */
  #whileOpen<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closing !== undefined) {
      return Promise.reject(
        new MillraceError('FAILED_PRECONDITION', 'The engine is closed: open another'),
      );
    }
    const loading = work();
    this.#loading.add(loading);
    const done = () => this.#loading.delete(loading);
    loading.then(done, done);
    return loading;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Loads a model, at most `attempts` times if its files are changed meanwhile. */
  async #load(options: LoadOptions, attempts = 3): Promise<Model> {
    const native = toNative(options);
    // The bytes are copied, because the caller may change them once load() has returned.
    if (native.bytes !== undefined) native.bytes = native.bytes.slice();
    const { digest, controlFlow } = await this.#inspect(native, options.name);
    // A run of a model with control flow may take any time, so the JavaScript thread must not make it.
    if (controlFlow) native.inlineLimitUs = 0;
    // Equal files in two folders are two models, because their external data may differ.
    const folder = native.path === undefined ? '' : dirname(native.path);
    const rest = { ...native, bytes: undefined, path: undefined, copyFolder: undefined };
    native.key = JSON.stringify([digest, folder, rest]);
    const name =
      options.name ?? (native.path === undefined ? digest.slice(0, 12) : basename(native.path));
    const { cacheDir, notice = () => {} } = options;
    const { onnxRuntimeVersion } = this.info;
    native.digest = digest;
    // The key has only what the time of a run depends on, because other options may change between two starts.
    const costKeyOn = (device: string) =>
      JSON.stringify([onnxRuntimeVersion, digest, device, native.intraOpThreads]);
    const wanted = costKeyOn(fullName(native.device));
    const costFile =
      options.costFile ?? (cacheDir === undefined ? undefined : costFileIn(cacheDir, wanted));
    if (costFile !== undefined) native.costs = await readCosts(costFile, wanted, notice);
    const keep = async ({ device }: Model, { costs }: ModelStats) => {
      const nothing = options.costFile === undefined && costs.length === 0;
      if (costFile === undefined || nothing) return;
      const written = writeCosts(costFile, costKeyOn(device), costs);
      // Only if the caller named the cost file does a failure to write it fail the call.
      await (options.costFile === undefined
        ? written.catch((e: Error) => notice(e.message))
        : written);
    };
    try {
      const handle = await this.#channel.await(this.#native.load(native));
      const { maxRequestRows } = native;
      const onClosing = (last: ModelStats) => keep(model, last);
      const onClosed = () => this.#forget(model);
      const facts = { name, digest, maxRequestRows, limits: native, notice, onClosing, onClosed };
      const model: Model = new LoadedModel(facts, handle, this.#channel);
      this.#models.add(new WeakRef(model));
      // The costs are written now as well, because not every process closes its models before it ends.
      if (cacheDir !== undefined && native.costs?.length === 0) await keep(model, model.stats());
      return model;
    } catch (cause) {
      if (haveChanged(cause) && attempts > 1) return this.#load(options, attempts - 1);
      throw loadError(name, [folder], cause);
    }
  }

  /** Loads a generative model, at most `attempts` times if its files are changed meanwhile. */
  async #loadGenerator(options: GeneratorOptions, attempts = 3): Promise<GenerativeModel> {
    const native = toNativeGenerator(options);
    const { decoder, decoderWithPast, encoder } = native;
    const files = [decoder, decoderWithPast, encoder].filter((file) => file !== undefined);
    for (const file of files) file.digest = (await this.#inspect(file, options.name)).digest;
    const folders = files.map(({ path }) => dirname(path));
    native.key = JSON.stringify([folders, { ...native, copyFolder: undefined }]);
    const hash = createHash('sha256');
    for (const file of [decoder, decoderWithPast, encoder]) hash.update(`${file?.digest}\n`);
    const digest = hash.digest('hex');
    const name = options.name ?? basename(decoder.path);
    try {
      const handle = await this.#channel.await(this.#native.loadGenerator(native));
      const model = new LoadedGenerator(name, digest, handle, this.#channel, () =>
        this.#forget(model),
      );
      this.#models.add(new WeakRef(model));
      return model;
    } catch (cause) {
      if (haveChanged(cause) && attempts > 1) return this.#loadGenerator(options, attempts - 1);
      throw loadError(name, folders, cause);
    }
  }

  /** Reads the model and the files that it names on another thread, because they may be large. */
  async #inspect(
    { path, bytes }: Pick<NativeLoadOptions, 'path' | 'bytes'>,
    name: string | undefined,
  ): Promise<NativeFacts> {
    try {
      return await this.#channel.await(this.#native.inspect(path ?? bytes!));
    } catch (cause) {
      if (path === undefined) throw loadError(name ?? 'of bytes', [], cause);
      const { code, message } = fromAddon(cause);
      if (code !== 'NOT_FOUND') throw loadError(name ?? basename(path), [dirname(path)], cause);
      const sentence = `Cannot read the model file ${path}: ${message}`;
      throw new MillraceError('NOT_FOUND', sentence, { cause });
    }
  }

  #forget(model: Closable): void {
    for (const reference of this.#models) {
      const held = reference.deref();
      if (held === undefined || held === model) this.#models.delete(reference);
    }
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#loading);
    const closings = [...this.#models].map((reference) => reference.deref()?.close());
    // The channel closes after the last model, even if one of them failed to close.
    await Promise.allSettled(closings);
    this.#channel.close();
    await Promise.all(closings);
  }
}

/** Returns a device as reports name it. `auto` keeps its name: it may be another device each time, so it has no costs. */
const fullName = (device: string) => (/^(?:cuda|tensorrt)$/.test(device) ? `${device}:0` : device);

/** Returns whether a load failed because the files of its model are not those that were inspected. */
const haveChanged = (cause: unknown) =>
  cause instanceof Error && fromAddon(cause).code === 'UNAVAILABLE';

/** Returns the error with the name of the model and without the paths of its folders. */
function loadError(name: string, folders: readonly string[], cause: unknown): unknown {
  if (cause instanceof MillraceError || !(cause instanceof Error)) return cause;
  const code = (cause as Error & { code?: MillraceErrorCode }).code ?? 'INTERNAL';
  const reason = folders
    .reduce(
      (text, folder) => text.replaceAll(folder === '' ? '\0' : `${folder}/`, ''),
      cause.message,
    )
    .trim();
  return new MillraceError(code, `Cannot load model '${name}': ${reason}`, { cause });
}
