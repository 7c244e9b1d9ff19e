/** @module What is read from a model's bytes before the addon loads them. */

import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { MillraceError } from './errors.ts';

export interface ModelFile {
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  /** Whether nodes may run a number of times that depends on the data, so that runs differ in length. */
  readonly controlFlow: boolean;
}

/** `op_type` of a node in an ONNX file: protobuf field 4, a length, the name. */
const CONTROL_FLOW = ['Loop', 'Scan', 'If', 'SequenceMap'].map((name) =>
  Buffer.from([0x22, name.length, ...Buffer.from(name)]),
);

/** A pattern may lie across two chunks. */
const OVERLAP = 16;

class Inspection {
  readonly #hash: Hash = createHash('sha256');
  #tail: Uint8Array = new Uint8Array(0);
  #controlFlow = false;

  add(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    if (this.#controlFlow) return;
    const seam = Buffer.concat([this.#tail, chunk.subarray(0, OVERLAP)]);
    const whole = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#controlFlow = CONTROL_FLOW.some((op) => whole.includes(op) || seam.includes(op));
    this.#tail = chunk.slice(-OVERLAP);
  }

  end(): ModelFile {
    return { digest: this.#hash.digest('hex'), controlFlow: this.#controlFlow };
  }
}

/** In one go, since the caller may change the bytes later. */
export function inspectBytes(bytes: Uint8Array): ModelFile {
  const inspection = new Inspection();
  inspection.add(bytes);
  return inspection.end();
}

/**
 * As a stream, so that a large file does not hold up the event loop.
 *
 * @throws {MillraceError} `NOT_FOUND` if the file cannot be read.
 */
export async function inspectFile(path: string): Promise<ModelFile> {
  const inspection = new Inspection();
  try {
    for await (const chunk of createReadStream(path)) inspection.add(chunk as Uint8Array);
  } catch (cause) {
    throw new MillraceError(
      'NOT_FOUND',
      `Cannot read the model file ${path}: ${(cause as Error).message}`,
      { cause },
    );
  }
  return inspection.end();
}
