/** @module */
import { fileURLToPath } from 'node:url';
import type { Command } from '../lib/child.ts';
import type { Setup } from './types.ts';

/** The command that calls the `serve` exported by `contenders/<name>.ts` in a process of its own. */
export function serveCommand(name: string, setup: Setup): Command {
  const script = fileURLToPath(new URL('serve.ts', import.meta.url));
  return {
    argv: [process.execPath, script, name, JSON.stringify(setup)],
    env: { NODE_ENV: 'production', ORT_DISABLE_TELEMETRY: '1' },
  };
}
