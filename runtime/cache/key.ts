/** @module The keys of cached results: everything that the outputs of a request depend on, as bytes and as their hash. */

import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { type PoolOptions, packStrings as packed, type Tensors } from '../../native/index.ts';
import { ByteWriter } from './byte-writer.ts';

/** Inputs of more bytes are not cached: to copy and to compare them would block the HTTP thread for milliseconds. */
const MAX_INPUT_BYTES = 8 * 1024 * 1024;
/** Longer keys are hashed on another thread. They have memory of their own, because they are longer than what is kept. */
const HASHED_HERE = 256 * 1024;
/** Hexadecimal digits of 128 bits. */
const HASH_DIGITS = 32;

/** What identifies the results of a request. */
export interface CacheKey {
  /** 128 bits of the SHA-256 of `bytes`, hexadecimal. */
  readonly hash: string;
  /** The whole key. Two requests with the same bytes have the same outputs. It may be replaced by equal bytes. */
  bytes: Uint8Array;
  /** Set if the bytes are valid only until the next key is made. */
  readonly isBorrowed?: true;
}

/** The key of requests that have the same text, so that it is made once for all of them. */
export class RememberedKey {
  #version: Uint8Array | undefined;
  #tenant = '';
  #key: CacheKey | undefined;

  /** The key for a version and a tenant; undefined if it has not been remembered. */
  get(version: Uint8Array, tenant: string): CacheKey | undefined {
    return this.#version === version && this.#tenant === tenant ? this.#key : undefined;
  }

  /** Remembers a key instead of an earlier one. Its bytes must stay valid. */
  set(version: Uint8Array, tenant: string, key: CacheKey): void {
    this.#version = version;
    this.#tenant = tenant;
    this.#key = key;
  }
}

/** What the outputs of a request depend on, besides its model version. */
export interface KeyedRequest {
  /** Set if the same inputs, outputs and pooling are used for several requests. */
  readonly remembered?: RememberedKey | undefined;
  /** The inputs of each run. */
  readonly runs: readonly Tensors[];
  /** Names of the requested outputs; undefined means all. */
  readonly outputs: readonly string[] | undefined;
  /** Whether outputs of strings are returned as bytes. */
  readonly packStrings: boolean;
  /** How an output of each run is pooled; undefined means not at all. */
  readonly pooling?: readonly PoolOptions[] | undefined;
}

/** Makes the keys of an HTTP thread. Every part is written with its length, so that different requests have different bytes. */
export class KeyMaker {
  readonly #writer = new ByteWriter();

  /**
   * The key of a request; undefined if its inputs are too long to be cached.
   *
   * @param version Identifies the model version, as `identity` returns it.
   * @param tenant Callers of different tenants never share results.
   */
  make(
    version: Uint8Array,
    tenant: string,
    { runs, outputs, packStrings, remembered, pooling = [] }: KeyedRequest,
  ): CacheKey | Promise<CacheKey> | undefined {
    const known = remembered?.get(version, tenant);
    if (known !== undefined) return known;
    const writer = this.#writer;
    writer.start();
    writer.bytes(version);
    writer.text(tenant);
    writer.number(packStrings ? 1 : 0);
    writer.number(pooling.length);
    for (const { output, modes, tokens } of pooling) {
      writer.text(output);
      writer.text(modes.join());
      writer.bytes(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength));
    }
    writer.number(outputs === undefined ? -1 : outputs.length);
    if (outputs !== undefined) for (const name of outputs) writer.text(name);
    writer.number(runs.length);
    for (const inputs of runs) if (!writeInputs(writer, inputs)) return undefined;
    const bytes = writer.written();
    if (bytes.length > HASHED_HERE) return hashElsewhere(bytes);
    const found = shortened(hash('sha256', bytes, 'hex'));
    if (remembered === undefined) return { hash: found, bytes, isBorrowed: true };
    const key = { hash: found, bytes: bytes.slice() };
    remembered.set(version, tenant, key);
    return key;
  }
}

/** The bytes that identify a model version. @param parts Texts of which every one distinguishes versions. */
export function identity(parts: readonly string[]): Uint8Array {
  const writer = new ByteWriter();
  writer.start();
  for (const part of parts) writer.text(part);
  return writer.written().slice();
}

/**
 * Writes inputs by name, because the order in which a client lists them does not matter. Returns false if they are too
 * long.
 */
function writeInputs(writer: ByteWriter, inputs: Tensors): boolean {
  const names = Object.keys(inputs);
  if (names.length > 1) names.sort();
  writer.number(names.length);
  for (const name of names) {
    const { type, dims, data } = inputs[name]!;
    writer.text(name);
    writer.text(type);
    writer.number(dims.length);
    for (const size of dims) writer.number(size);
    // Strings have the same bytes whether a client sends them as JSON or in binary.
    const bytes = ArrayBuffer.isView(data) ? data : packed(data);
    if (writer.length + bytes.byteLength > MAX_INPUT_BYTES) return false;
    writer.bytes(bytes);
  }
  return true;
}

async function hashElsewhere(bytes: Uint8Array<ArrayBuffer>): Promise<CacheKey> {
  const digest = Buffer.from(await crypto.subtle.digest('SHA-256', bytes));
  return { hash: shortened(digest.toString('hex')), bytes };
}

/** Whether the bytes of two keys are equal. */
export const isEqual = (a: Uint8Array, b: Uint8Array): boolean =>
  a === b || Buffer.compare(a, b) === 0;

const shortened = (sha256: string): string => sha256.slice(0, HASH_DIGITS);
