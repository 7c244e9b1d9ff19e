/** @module Cache entries as bytes, for a cache outside of the process: a header in JSON, the key, and the tensors' bytes. */

import { Buffer } from 'node:buffer';
import { z } from 'zod';
import {
  elementArrays,
  type PackedTensor,
  type RunResult,
  type Tensor,
  tensorBytes,
  unpackStrings,
} from '../../native/index.ts';
import { createTensor } from '../elements.ts';
import type { CacheEntry } from './results.ts';

/** The header's length comes first, in as many bytes. */
const LENGTH_BYTES = 4;

const size = z.int().min(0);
const tensor = z.strictObject({
  name: z.string(),
  type: z.enum([...(Object.keys(elementArrays) as (keyof typeof elementArrays)[]), 'string']),
  dims: z.array(size),
  bytes: size,
});
const header = z.strictObject({
  storedAt: z.number(),
  key: size,
  results: z.array(
    z.strictObject({
      outputs: z.array(tensor),
      packed: z.array(tensor).optional(),
      timings: z.strictObject({
        queueMs: z.number(),
        computeMs: z.number(),
        batchRows: z.number(),
        batchRequests: z.number(),
      }),
    }),
  ),
});

type Header = z.infer<typeof header>;
type TensorHeader = z.infer<typeof tensor>;
type Tensors = Readonly<Record<string, Tensor | PackedTensor>>;

export function packEntry({ key, results, storedAt }: CacheEntry): Buffer {
  const parts: Uint8Array[] = [key];
  const list = (tensors: Tensors): TensorHeader[] =>
    Object.entries(tensors).map(([name, each]) => {
      const bytes = tensorBytes(each);
      parts.push(bytes);
      return { name, type: each.type, dims: [...each.dims], bytes: bytes.length };
    });
  const head: Header = {
    storedAt,
    key: key.length,
    results: results.map(({ outputs, packedStrings, timings }) => ({
      outputs: list(outputs),
      packed: packedStrings === undefined ? undefined : list(packedStrings),
      timings: { ...timings },
    })),
  };
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, ...parts]);
}

/** The entry in the bytes; undefined if they are not those of an entry. */
export function unpackEntry(packed: Uint8Array): CacheEntry | undefined {
  try {
    return read(packed);
  } catch {
    return undefined;
  }
}

/** @throws if the bytes are not an entry */
function read(packed: Uint8Array): CacheEntry {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  let at = LENGTH_BYTES + bytes.readUInt32LE();
  const head = header.parse(JSON.parse(bytes.toString('utf8', LENGTH_BYTES, at)));
  const take = (length: number): Uint8Array<ArrayBuffer> => {
    if (at + length > bytes.length) throw new RangeError('The entry is cut short');
    at += length;
    // A copy, because elements must be aligned, and the bytes may be a part of larger memory.
    return new Uint8Array(bytes.subarray(at - length, at));
  };
  const key = take(head.key);
  const results = head.results.map(({ outputs, packed: strings, timings }): RunResult => {
    const own = { outputs: tensorsOf(outputs, take, toTensor), timings };
    if (strings === undefined) return own;
    return { ...own, packedStrings: tensorsOf(strings, take, toPacked) };
  });
  if (at !== bytes.length) throw new RangeError('The entry is too long');
  return { key, results, storedAt: head.storedAt };
}

type Take = (length: number) => Uint8Array<ArrayBuffer>;

function tensorsOf<T>(
  heads: readonly TensorHeader[],
  take: Take,
  make: (head: TensorHeader, bytes: Uint8Array<ArrayBuffer>) => T,
): Record<string, T> {
  return Object.fromEntries(heads.map((head) => [head.name, make(head, take(head.bytes))]));
}

function toTensor({ type, dims }: TensorHeader, bytes: Uint8Array<ArrayBuffer>): Tensor {
  if (type !== 'string') return createTensor(type, dims, new elementArrays[type](bytes.buffer));
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const texts = unpackStrings(bytes)!.map((text) => decoder.decode(text));
  return createTensor(type, dims, texts);
}

const toPacked = ({ type, dims }: TensorHeader, data: Uint8Array): PackedTensor => ({
  type,
  dims,
  data,
});
