/** @module Tries a version before it is registered: it is loaded as it would be served, and run. */

import { datatypes, elementArrays, type Tensors } from '../../native/index.ts';
import { redact, ServeError } from '../errors.ts';
import { type Loading, loadVersion } from '../load-version.ts';
import type { ModelVersion } from '../model.ts';
import { readArtifact } from '../repository/index.ts';
import { type LoadSettings, versionSource } from '../version-source.ts';
import type { CostRecord, TensorRecord } from './versions.ts';

/** A version to try. */
export interface ProbeRequest {
  readonly model: string;
  readonly version: string;
  /** Absolute path of the folder with its files. */
  readonly folder: string;
  /** The `model.json` of the registration; null to use the one among the files. */
  readonly config: unknown;
}

export interface ProbeResult {
  readonly inputs: readonly TensorRecord[];
  readonly outputs: readonly TensorRecord[];
  readonly costs: readonly CostRecord[];
}

/** Tries a version. @throws {ServeError} `REJECTED` with the reason why it cannot be served */
export type Probe = (request: ProbeRequest) => Promise<ProbeResult>;

/**
 * Tries a version in this process, which hostile files may end. Loading it measures a run of each bucket; then it runs with
 * the tokens of a text or zeros, and if these do not suit it, with ones.
 *
 * @throws {ServeError} with the reason why it cannot be served
 */
export async function probeArtifact(
  loading: Loading,
  request: ProbeRequest,
  settings: LoadSettings,
): Promise<ProbeResult> {
  const folder = await readArtifact(request);
  const source = await versionSource(folder, folder.versions[0]!, settings);
  const loaded = await loadVersion(loading, source);
  await runOnce(loaded);
  const { inputs, outputs } = loaded.signature;
  const describe = ({ name, type, dims }: (typeof inputs)[number]): TensorRecord => {
    return { name, datatype: datatypes[type], shape: dims };
  };
  const costs = loaded.stats().costs.map(({ rows, meanMs, lengths }) => {
    return { rows, ms: Math.round(meanMs * 1000) / 1000, ...(lengths && { lengths }) };
  });
  return { inputs: inputs.map(describe), outputs: outputs.map(describe), costs };
}

async function runOnce(version: ModelVersion): Promise<void> {
  const row = version.exampleRow();
  try {
    await version.run(row, {});
  } catch {
    await version.run(onesLike(row), {}).catch((cause: unknown) => {
      const reason = cause instanceof Error ? redact(cause.message) : 'it was refused';
      throw new ServeError('REJECTED', `A run of it fails: ${reason}`, { cause });
    });
  }
}

/** The same tensors with ones, and texts of one digit. */
function onesLike(tensors: Tensors): Tensors {
  const filled = Object.entries(tensors).map(([name, tensor]) => {
    const { type, dims, data } = tensor;
    if (type === 'string') return [name, { type, dims, data: new Array(data.length).fill('1') }];
    const ones = new elementArrays[type](data.length);
    const one = type === 'int64' || type === 'uint64' ? 1n : type === 'float16' ? 0x3c00 : 1;
    return [name, { type, dims, data: ones.fill(one as never) }];
  });
  return Object.fromEntries(filled) as Tensors;
}
