/**
 * A vendor-neutral checker of V2 servers: runs its cases against a server and reports which of them pass.
 *
 * @module
 */

import { type Case, Failure, type Profile } from './case.ts';
import { binaryCases } from './cases/binary.ts';
import { extensionCases } from './cases/extensions.ts';
import { inferCases } from './cases/infer.ts';
import { mistakeCases } from './cases/mistakes.ts';
import { serverCases } from './cases/server.ts';
import { NoResponse, type Server } from './server.ts';

export type { Case, Profile } from './case.ts';
export { Server, type ServerOptions } from './server.ts';

export const CASES: readonly Case[] = [
  ...serverCases,
  ...inferCases,
  ...mistakeCases,
  ...binaryCases,
  ...extensionCases,
];

export const PROFILES: readonly Profile[] = ['core', 'triton', 'kserve', 'strict'];

export interface Result {
  readonly id: string;
  readonly title: string;
  readonly profile: Profile;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** The reason, if the case did not pass. */
  readonly reason: string;
  readonly ms: number;
}

/** Number of consecutive cases without any response after which the run ends. */
const MAX_UNRESPONSIVE = 3;

/**
 * Runs the cases one after the other.
 *
 * @param onResult Called after each.
 */
export async function conform(
  server: Server,
  cases: readonly Case[],
  onResult: (result: Result) => void = () => {},
): Promise<Result[]> {
  const results: Result[] = [];
  let unresponsive = 0;
  for (const each of cases) {
    const started = performance.now();
    const verdict =
      unresponsive < MAX_UNRESPONSIVE ? await judge(each, server.restartTimeout()) : NOT_SENT;
    unresponsive = verdict.silent ? unresponsive + 1 : 0;
    const { id, title, profile } = each;
    const { outcome, reason } = verdict;
    const result: Result = {
      ...{ id, title, profile, outcome, reason },
      ms: performance.now() - started,
    };
    results.push(result);
    onResult(result);
  }
  return results;
}

interface Verdict {
  readonly outcome: Result['outcome'];
  readonly reason: string;
  /** Whether there was no response from the server. */
  readonly silent: boolean;
}

const NOT_SENT: Verdict = {
  outcome: 'failed',
  reason: 'skipped: the server no longer responds',
  silent: true,
};

async function judge({ run }: Case, server: Server): Promise<Verdict> {
  try {
    const reason = await run(server);
    return typeof reason === 'string'
      ? { outcome: 'skipped', reason, silent: false }
      : { outcome: 'passed', reason: '', silent: false };
  } catch (error) {
    return { outcome: 'failed', reason: reasonOf(error), silent: error instanceof NoResponse };
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Failure || error instanceof NoResponse) return error.message;
  // A case may also throw another error when a response lacks a field that it reads.
  const message = error instanceof Error ? error.message : String(error);
  return `the response does not have the expected form: ${message}`;
}
