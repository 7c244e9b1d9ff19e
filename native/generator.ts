/** @module A loaded generative model as one JavaScript thread holds it. */

import type { Channel } from './channel.ts';
import type { DeviceReport } from './device-types.ts';
import type { MillraceError } from './errors.ts';
import type { NativeGenerateOptions, NativeGenerator } from './generation-binding.ts';
import { tokenIds, toNativeGenerate } from './generation-options.ts';
import type {
  GenerateOptions,
  Generation,
  GenerativeModel,
  GenerativeSignature,
  GeneratorStats,
} from './generation-types.ts';
import { closedError, failed, type GenerationTarget } from './generations.ts';

export class LoadedGenerator implements GenerativeModel, GenerationTarget {
  readonly name: string;
  readonly digest: string;
  readonly device: string;
  readonly report: DeviceReport;
  readonly signature: GenerativeSignature;
  readonly native: NativeGenerator;
  readonly #channel: Channel;
  readonly #onClosed: () => void;
  #inFlight = 0;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  /** @param onClosed Called when the native model has been released. */
  constructor(
    name: string,
    digest: string,
    native: NativeGenerator,
    channel: Channel,
    onClosed: () => void,
  ) {
    this.name = name;
    this.digest = digest;
    this.native = native;
    this.report = Object.freeze(native.report);
    this.device = native.report.device;
    const { encoderDecoder, vocabulary, maxPositions, cacheBytesPerToken, mixedLengths } = native;
    this.signature = Object.freeze({
      encoderDecoder,
      vocabulary,
      maxPositions: maxPositions === 0 ? undefined : maxPositions,
      cacheBytesPerToken,
      mixedLengths,
    });
    this.#channel = channel;
    this.#onClosed = onClosed;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  generate(inputIds: ArrayLike<number> | BigInt64Array, options: GenerateOptions = {}): Generation {
    if (this.#closing !== undefined) return failed(this.#closedError());
    const { timeoutMs, signal } = options;
    if (signal?.aborted) return failed(signal.reason);
    let ids: Int32Array;
    let native: NativeGenerateOptions;
    try {
      ids = tokenIds('inputIds', inputIds);
      native = toNativeGenerate(options);
    } catch (error) {
      return failed(error);
    }
    return this.#channel.generations.start(this, ids, native, timeoutMs, signal);
  }

  wake(): void {
    this.native.wake();
  }

  submitted(): void {
    this.#inFlight++;
  }

  settled(): void {
    if (--this.#inFlight === 0) this.#onIdle?.();
  }

  stats(): GeneratorStats {
    const stats = this.native.stats();
    if (stats === null) throw this.#closedError();
    return stats;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#channel.await(this.native.release());
    this.#onClosed();
  }

  #closedError(): MillraceError {
    return closedError(this.name);
  }
}
