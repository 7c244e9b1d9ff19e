/**
 * Builds the native contenders.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Builds the native programs; takes a second or less if nothing has changed.
 *
 * @param root The top folder.
 * @returns the folder that holds the programs.
 * @throws if the addon has not been built, or the compiler fails.
 */
export async function buildPrograms(root: string): Promise<string> {
  const build = join(root, 'build', 'bench');
  const headers = await onnxRuntimeHeaders(join(root, 'build', 'CMakeCache.txt'));
  const run = promisify(execFile);
  const configure = [
    '-S',
    root,
    '-B',
    build,
    '-DMILLRACE_BENCH=ON',
    `-DORT_INCLUDE_DIR=${headers}`,
  ];
  try {
    await run('cmake', configure);
    await run('cmake', ['--build', build, '--parallel', String(os.availableParallelism())]);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`The native contenders cannot be built:\n${stdout}${stderr}`, { cause: error });
  }
  return join(build, 'bench', 'native');
}

/** The folder of headers that the addon itself was built with, from its CMake cache. */
async function onnxRuntimeHeaders(cache: string): Promise<string> {
  const text = await readFile(cache, 'utf8').catch(() => '');
  const folder = /^ORT_INCLUDE_DIR:\w+=(.+)$/m.exec(text)?.[1];
  if (!folder) throw new Error('The addon is not built: run `node services/cli/setup.mjs` first');
  return folder;
}
