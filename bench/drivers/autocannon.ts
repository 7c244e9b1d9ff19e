/** @module autocannon in a process of its own. */
import { fileURLToPath } from 'node:url';
import { Child, jsonLine } from '../lib/child.ts';
import type { AutocannonTask } from './autocannon-process.ts';
import { BodyFile } from './body-file.ts';
import type { Driver, LoadResult } from './types.ts';

const SCRIPT = fileURLToPath(new URL('autocannon-process.ts', import.meta.url));

export const driver: Driver = {
  name: 'autocannon',
  async version() {
    const { default: manifest } = await import('autocannon/package.json');
    return `autocannon ${manifest.version}`;
  },
  async run(load, onStart) {
    await using file = await BodyFile.write(load.body);
    const task: AutocannonTask = { ...load, body: file.path };
    await using child = await Child.start({
      argv: [process.execPath, SCRIPT, JSON.stringify(task)],
    });
    await child.line(jsonLine('started'));
    await onStart?.();
    return await child.line(jsonLine<LoadResult>('requests'));
  },
};
