/**
 * `npm run bench:gpu`: builds the GPU benchmark, a program that needs no JavaScript runtime and can be
 * copied to a machine with a GPU, and runs it. Without a GPU it says why it is skipped.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { buildPrograms } from './lib/build.ts';

const folder = await buildPrograms(resolve(import.meta.dirname, '..'));
const { status } = spawnSync(join(folder, 'millrace-bench-gpu'), { stdio: 'inherit' });
process.exitCode = status ?? 1;
