/** @module The process that tries one version: it reads a task from standard input, and writes the reply to standard output. */

import process from 'node:process';
import { createInterface } from 'node:readline';
import { openEngine } from '../../../native/index.ts';
import {
  exit,
  openTokenizers,
  probeArtifact,
  ServeError,
  toFailure,
} from '../../../runtime/index.ts';
import type { ProbeReply, ProbeTask } from './protocol.ts';

async function reply({ request, settings, ortLibrary }: ProbeTask): Promise<ProbeReply> {
  const engine = openEngine(ortLibrary === undefined ? {} : { library: ortLibrary });
  try {
    const loading = { engine, tokenizers: openTokenizers() };
    return { result: await probeArtifact(loading, request, settings) };
  } catch (error) {
    const isOfModel = error instanceof ServeError && error.code !== 'INTERNAL';
    return { failure: isOfModel ? { code: 'REJECTED', message: error.message } : toFailure(error) };
  }
}

const lines = createInterface({ input: process.stdin });
lines.once('line', async (line) => {
  const answer = await reply(JSON.parse(line) as ProbeTask);
  process.stdout.write(`\n${JSON.stringify(answer)}\n`, () => exit(0));
});
// The server has ended without waiting for the reply.
lines.once('close', () => exit(1));
