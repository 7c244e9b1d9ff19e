/** @module What a Redis does when its memory is full. */

import type { Redis } from 'ioredis';

/**
 * The `maxmemory-policy` of a Redis; undefined if it does not tell. It is read by INFO, because hosted ones refuse CONFIG.
 *
 * @throws the client's error
 */
export async function maxmemoryPolicyOf(client: Redis): Promise<string | undefined> {
  return /maxmemory_policy:(\S+)/.exec(await client.info('memory'))?.[1];
}
