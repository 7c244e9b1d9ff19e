/** @module Warm-ups that `config.pbtxt` declares. */

import { join } from 'node:path';
import { readBytes } from '../files.ts';
import type { Warmup, WarmupInput } from '../settings.ts';
import { isPlainName, type TritonWarmup, type TritonWarmupInput, wrong } from './config.ts';

/** Largest file of labels or of data for a warm-up. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Most runs of a warm-up. Changes of state wait for the load that makes them. */
const MAX_RUNS = 100;

/** @throws {ServeError} `INVALID_CONFIG` for a file that cannot be read, or too many runs. */
export async function toWarmup(name: string, folder: string, given: TritonWarmup): Promise<Warmup> {
  const { batch_size = 1, count = 0, inputs = {} } = given;
  if (count > MAX_RUNS) {
    throw wrong(name, `model_warmup.count must be at most ${MAX_RUNS} but is ${count}`);
  }
  return {
    name: given.name ?? '',
    rows: batch_size,
    runs: Math.max(count, 1),
    inputs: await Promise.all(
      Object.entries(inputs).map(([tensor, input]) => toInput(name, folder, tensor, input)),
    ),
  };
}

async function toInput(
  name: string,
  folder: string,
  tensor: string,
  input: TritonWarmupInput,
): Promise<WarmupInput> {
  const { data_type, dims = [], random_data, input_data_file: file } = input;
  return {
    name: tensor,
    datatype: data_type,
    dims: dims.map(Number),
    // As in Triton, a flag has an effect if it is present, even if it is false.
    data:
      file === undefined
        ? random_data === undefined
          ? 'zero'
          : 'random'
        : await read(name, folder, file),
  };
}

async function read(name: string, folder: string, file: string): Promise<Uint8Array> {
  if (!isPlainName(file)) {
    throw wrong(name, `input_data_file ${file} must be the name of a file in the folder warmup`);
  }
  return readBeside(name, join(folder, 'warmup'), file);
}

/** A file that `config.pbtxt` names. @throws {ServeError} `INVALID_CONFIG` */
export function readBeside(name: string, folder: string, file: string): Promise<Buffer> {
  const what = `config.pbtxt of '${name}': the file ${file} that it names`;
  return readBytes(join(folder, file), what, MAX_BYTES);
}
