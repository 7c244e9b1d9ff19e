/**
 * The driver wrk. It decides for fast servers, because it costs the least CPU time per request.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Child, jsonLine } from '../lib/child.ts';
import { BodyFile } from './body-file.ts';
import { type Driver, JSON_HEADERS, type Load, type LoadResult } from './types.ts';

const SCRIPT = fileURLToPath(new URL('wrk.lua', import.meta.url));

export const driver: Driver = {
  name: 'wrk',
  async version() {
    // `wrk -v` prints its version and then, by design, exits with 1.
    const failed = await promisify(execFile)('wrk', ['-v']).catch((error) => error);
    const version = /^wrk \S+/.exec(failed.stdout ?? '')?.[0];
    if (!version) throw new Error('wrk is not installed: install it with apt-get install wrk');
    return version;
  },
  async run(load, onStart) {
    await using body = await BodyFile.write(load.body);
    await using child = await Child.start({
      argv: wrkArguments(load),
      env: { BENCH_BODY_FILE: body.path },
    });
    await onStart?.();
    return await child.line(jsonLine<LoadResult>('requests'));
  },
};

function wrkArguments({ url, connections, seconds, headers = JSON_HEADERS }: Load): string[] {
  const duration = `-d${Math.ceil(seconds)}s`;
  const lines = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  return [
    'wrk',
    '-t1',
    `-c${connections}`,
    duration,
    '--timeout',
    '30s',
    ...lines,
    '-s',
    SCRIPT,
    url,
  ];
}
