/** @module A process that runs jobs until it is killed. Its arguments are the URL of PostgreSQL, a file for a line of each run, and the URL of Redis if there is one. */

import { appendFileSync } from 'node:fs';
import process from 'node:process';
import { createLog } from '../../../runtime/log.ts';
import { openStore, type Store } from '../../../runtime/store/index.ts';
import { done, testJobs } from '../../runtime/jobs/support.ts';

const [, , databaseUrl, runs, queueRedisUrl] = process.argv;
// The test has ended, or was ended.
process.stdin.on('end', () => process.exit()).resume();
process.on('uncaughtException', (error) => {
  console.error(error);
  process.exit(1);
});

/** The connection may be cut while the store opens. */
async function open(): Promise<Store> {
  try {
    return await openStore({ databaseUrl, stateDir: '/nowhere' }, createLog('silent'));
  } catch {
    return open();
  }
}

const store = await open();
const respond = async (body: string) => {
  appendFileSync(runs!, `${body}\n`);
  await new Promise((resolve) => setTimeout(resolve, 5));
  return done(2 * Number(body));
};
await testJobs(store, respond, {
  random: Math.random,
  config: { queueRedisUrl, jobConcurrency: 8 },
  runner: { leaseMs: 4000, everyMs: 250 },
});
