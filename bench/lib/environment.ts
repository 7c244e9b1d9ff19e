/**
 * The environment of a result: commit, hardware, versions.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import os from 'node:os';
import { promisify } from 'node:util';

export interface Environment {
  readonly date: string;
  /** Full hash, with `-dirty` if the work tree differs from it. */
  readonly commit: string;
  readonly hardware: { cpu: string; cores: number; memoryGiB: number };
  readonly versions: Readonly<Record<string, string>>;
  /** Load average over one minute when the benchmark began. */
  readonly loadAverage: number;
}

const PACKAGES = ['hono', 'onnxruntime-node'] as const;

/** @param driver Version of the load driver. */
export async function describeEnvironment(driver: string): Promise<Environment> {
  const require = createRequire(import.meta.url);
  const packages = PACKAGES.map((name) => [name, require(`${name}/package.json`).version]);
  return {
    date: new Date().toISOString(),
    commit: await commit(),
    hardware: {
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cores: os.availableParallelism(),
      memoryGiB: Math.round((os.totalmem() / 2 ** 30) * 10) / 10,
    },
    versions: {
      bun: process.versions.bun ?? 'none',
      kernel: os.release(),
      driver,
      ...Object.fromEntries(packages),
    },
    loadAverage: os.loadavg()[0]!,
  };
}

/** Returns `unknown` outside a git work tree, such as in an unpacked archive. */
async function commit(): Promise<string> {
  const cwd = import.meta.dirname;
  try {
    const git = promisify(execFile);
    const { stdout } = await git('git', ['describe', '--always', '--dirty', '--abbrev=40'], {
      cwd,
    });
    return stdout.trim();
  } catch {
    return 'unknown';
  }
}
