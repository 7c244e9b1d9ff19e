/**
 * Frees artifacts that no version needs any more.
 *
 * Versions share artifacts by digest, and one may be registered while another is purged. So whoever refers to an artifact
 * or deletes one holds its lock: a registration while it records its version, which comes before it stores the files, and
 * the collector from its look for references until the files are gone (.github/decisions/0032).
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ArtifactStore } from '../artifacts/index.ts';
import { ServeError } from '../errors.ts';
import type { Sql, Store } from '../store/store.ts';

const PAUSE_MS = 20;
const PATIENCE_MS = 30_000;

/** Does `work` while no other process refers to the artifact or deletes it. @throws {ServeError} `STORE_UNAVAILABLE` */
export async function withArtifactLock<Result>(
  store: Store,
  digest: string,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let waited = 0; waited <= PATIENCE_MS; waited += PAUSE_MS) {
    const lock = await store.tryLock(lockOf(digest));
    if (lock !== undefined) return work().finally(() => lock.release());
    await sleep(PAUSE_MS);
  }
  throw new ServeError(
    'STORE_UNAVAILABLE',
    'The same artifact is being deleted, which takes long; retry later.',
  );
}

/** Notes that an artifact may have lost its last reference, in the transaction that has removed one. */
export async function discardArtifact(sql: Sql, digest: string): Promise<void> {
  await sql.query('insert into artifact_garbage (digest) values ($1) on conflict do nothing', [
    digest,
  ]);
}

/** Deletes the artifacts that have lost their last reference. Those that are in use at the moment are left for later. */
export async function collectGarbage(store: Store, artifacts: ArtifactStore): Promise<void> {
  const found = await store.query<{ digest: string }>(
    'select digest from artifact_garbage order by since limit 100',
  );
  for (const { digest } of found) await collect(store, artifacts, digest);
}

async function collect(store: Store, artifacts: ArtifactStore, digest: string): Promise<void> {
  const lock = await store.tryLock(lockOf(digest));
  if (lock === undefined) return;
  try {
    const [{ needed } = { needed: true }] = await store.query<{ needed: boolean }>(
      `select exists (select from model_versions
         where digest = $1 and state <> 'rejected' and purged_at is null) as needed`,
      [digest],
    );
    if (lock.lost.aborted) return;
    if (!needed) await artifacts.delete(digest);
    await store.query('delete from artifact_garbage where digest = $1', [digest]);
  } catch (error) {
    // One that cannot be deleted must not keep the others from their turn.
    await store.query('update artifact_garbage set since = now() where digest = $1', [digest]);
    throw error;
  } finally {
    await lock.release();
  }
}

const lockOf = (digest: string) => `artifact ${digest}`;
