/** @module A loaded model as one JavaScript thread holds it. */

import type { NativeModel } from './binding.ts';
import type { Carried, Channel } from './channel.ts';
import { MillraceError } from './errors.ts';
import type { Model, ModelStats, RunOptions, RunResult, Signature, Tensors } from './types.ts';

export interface ModelFacts {
  readonly name: string;
  readonly digest: string;
  readonly device: string;
}

export class LoadedModel implements Model, Carried {
  readonly name: string;
  readonly digest: string;
  readonly device: string;
  readonly signature: Signature;
  readonly native: NativeModel;
  readonly #channel: Channel;
  readonly #onClosed: (model: LoadedModel) => void;
  #inFlight = 0;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(
    facts: ModelFacts,
    native: NativeModel,
    channel: Channel,
    onClosed: (model: LoadedModel) => void,
  ) {
    this.name = facts.name;
    this.digest = facts.digest;
    this.device = facts.device;
    this.native = native;
    this.#channel = channel;
    this.#onClosed = onClosed;
    this.signature = Object.freeze({
      inputs: native.inputs,
      outputs: native.outputs,
      batching: { enabled: native.batched, maxRows: native.maxRows, reason: native.reason },
    });
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  run(inputs: Tensors, options: RunOptions = {}): Promise<RunResult> {
    if (this.#closing !== undefined) return Promise.reject(this.#closedError());
    return this.#channel.run(this, inputs, options);
  }

  submitted(): void {
    this.#inFlight++;
  }

  settled(): void {
    if (--this.#inFlight === 0) this.#onIdle?.();
  }

  stats(): ModelStats {
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
    await this.native.release();
    this.#onClosed(this);
  }

  #closedError(): MillraceError {
    return new MillraceError(
      'FAILED_PRECONDITION',
      `Model '${this.name}' is closed: load it again`,
    );
  }
}
