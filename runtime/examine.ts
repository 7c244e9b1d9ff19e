/** @module Looks at what the settings name, for the command that tells what does not work. */

import { openArtifacts } from './artifacts/index.ts';
import type { Config } from './config/index.ts';
import { ServeError } from './errors.ts';
import { maxmemoryPolicyOf } from './maxmemory-policy.ts';
import { Repository, type Scan } from './repository/index.ts';

const CONNECT_MS = 2000;

/**
 * Connects to a Redis.
 *
 * @returns What it does when its memory is full; undefined if it does not tell.
 * @throws {ServeError} `STORE_UNAVAILABLE` with the reason if it cannot be used.
 */
export async function checkRedis(
  url: string,
): Promise<{ readonly maxmemoryPolicy: string | undefined }> {
  const { Redis } = await import('ioredis');
  const redis = new Redis(url, {
    ...{ lazyConnect: true, connectTimeout: CONNECT_MS, commandTimeout: CONNECT_MS },
    ...{ maxRetriesPerRequest: 0, retryStrategy: () => null },
  });
  let reason = '';
  redis.on('error', (error) => {
    reason = error.message;
  });
  try {
    await redis.connect();
    return { maxmemoryPolicy: await maxmemoryPolicyOf(redis) };
  } catch (error) {
    const why = reason || (error instanceof Error ? error.message : String(error));
    throw new ServeError('STORE_UNAVAILABLE', `Redis cannot be used: ${why}.`, { cause: error });
  } finally {
    redis.disconnect();
  }
}

/** Asks the store of artifacts for one that it does not have. @throws {ServeError} `STORE_UNAVAILABLE` */
export async function checkArtifacts(config: Config): Promise<void> {
  const artifacts = openArtifacts(config);
  try {
    await artifacts.has(`sha256:${'0'.repeat(64)}`);
  } finally {
    artifacts.close();
  }
}

/** What a model repository holds. @throws {ServeError} `INVALID_CONFIG` if it cannot be read. */
export async function scanRepository(path: string): Promise<Scan> {
  return (await Repository.open(path)).scan();
}
