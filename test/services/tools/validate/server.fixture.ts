/** @module A server that tries the version in the folder that it is told. */
import process from 'node:process';
import { probeInChild } from '../../../../services/tools/validate/index.ts';

const folder = process.argv.at(-1)!;
const probe = probeInChild({
  ...{ device: 'cpu', engineCache: folder, batchSize: undefined, ortLibrary: undefined },
  ...{ validationMemoryBytes: 2 ** 40, validationTimeoutMs: 600_000 },
});
await probe({ model: 'm', version: 'v1', folder, config: null });
