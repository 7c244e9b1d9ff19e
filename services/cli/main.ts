/** @module The command `millrace`, except for `serve`, which is `services/main.ts`. */

import process from 'node:process';
import { CommanderError } from 'commander';
import { exit, ServeError } from '../../runtime/index.ts';
import { sayJson } from './output.ts';
import { program } from './program.ts';
import { Refused, Unreachable } from './server.ts';

/** The exit codes of every command. */
const EXIT = { refused: 1, usage: 2, unreachable: 3 } as const;

/** Whether a command was called with `--json`; then an error is printed as JSON, too. */
const asksForJson = (): boolean => program.args.includes('--json');

function end(error: unknown): never {
  // Commander has printed its message.
  if (error instanceof CommanderError) exit(error.exitCode === 0 ? 0 : EXIT.usage);
  if (error instanceof Refused) {
    if (asksForJson() && error.body !== null) sayJson(error.body);
    exit(EXIT.refused, error.message);
  }
  if (error instanceof Unreachable) exit(EXIT.unreachable, error.message);
  const isUsage = error instanceof ServeError && error.code === 'INVALID_CONFIG';
  exit(isUsage ? EXIT.usage : EXIT.refused, error instanceof Error ? error.message : String(error));
}

// A reader such as `head` that has seen enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') exit(0);
  throw error;
});

await program.parseAsync().catch(end);
