/**
 * A vendor-neutral checker of V2 servers: runs its cases against a server and tells which hold.
 *
 * @module
 */

import { type Case, Failure, type Profile } from './case.ts';
import { binaryCases } from './cases/binary.ts';
import { extensionCases } from './cases/extensions.ts';
import { inferCases } from './cases/infer.ts';
import { serverCases } from './cases/server.ts';
import type { Server } from './server.ts';

export type { Case, Profile } from './case.ts';
export { Server, type ServerOptions } from './server.ts';

export const CASES: readonly Case[] = [
  ...serverCases,
  ...inferCases,
  ...binaryCases,
  ...extensionCases,
];

export const PROFILES: readonly Profile[] = ['core', 'triton', 'kserve'];

export interface Result {
  readonly id: string;
  readonly title: string;
  readonly profile: Profile;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why, where it did not pass. */
  readonly reason: string;
  readonly ms: number;
}

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
  for (const { id, title, profile, run } of cases) {
    const started = performance.now();
    const verdict = await run(server).then(
      (reason) =>
        typeof reason === 'string'
          ? ({ outcome: 'skipped', reason } as const)
          : ({ outcome: 'passed', reason: '' } as const),
      (error: unknown) => ({ outcome: 'failed', reason: reasonOf(error) }) as const,
    );
    const result: Result = { id, title, profile, ...verdict, ms: performance.now() - started };
    results.push(result);
    onResult(result);
  }
  return results;
}

function reasonOf(error: unknown): string {
  if (error instanceof Failure) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  return `the request failed: ${message}`;
}
