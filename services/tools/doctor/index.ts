/**
 * Examines what a server with given settings would use: engine, device, models, stores, and whether one runs. Nothing
 * is created or changed.
 *
 * @module
 */

import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  type Config,
  checkArtifacts,
  checkRedis,
  currentHost,
  inspectStore,
  readTrust,
  type StoreState,
  scanRepository,
} from '../../../runtime/index.ts';
import type { Check, Found } from './check.ts';
import { engine } from './engine.ts';

export type { Check } from './check.ts';

/** How long a running server may take to respond. */
const SERVER_MS = 5000;

/** @param url Where a running server is looked for. */
export async function examine(config: Config, url: string): Promise<readonly Check[]> {
  const checks: readonly (readonly [name: string, check: () => Found | Promise<Found>])[] = [
    ['host', () => ({ state: 'ok', detail: currentHost().name })],
    ['engine', () => engine(config)],
    ['models', () => models(config)],
    ['database', () => database(config)],
    ['artifacts', () => artifacts(config)],
    ['response cache', () => cache(config)],
    ['job queue', () => queue(config)],
    ['signatures', () => signatures(config)],
    ['webhooks', () => webhooks(config)],
    ['server', () => server(url)],
  ];
  // A check that fails in a way of its own must not hide the others.
  return Promise.all(
    checks.map(async ([name, check]) => {
      const found = await Promise.resolve().then(check).catch(failed);
      return { name, ...found };
    }),
  );
}

function failed(error: unknown): Found {
  return { state: 'failed', detail: error instanceof Error ? error.message : String(error) };
}

async function models({ modelPath }: Config): Promise<Found> {
  const { models, skipped } = await scanRepository(modelPath);
  const count = models.reduce((sum, { versions }) => sum + versions.length, 0);
  const detail = `${models.length} models with ${count} versions in MODEL_PATH`;
  const [first] = skipped;
  if (first === undefined) return { state: 'ok', detail };
  const also = `${skipped.length} entries skipped, such as ${first.name}: ${first.reason}`;
  return { state: 'ok', detail: `${detail}; ${also}` };
}

const DATABASES: Readonly<Record<StoreState, Found>> = {
  ready: { state: 'ok', detail: 'there' },
  'in use': { state: 'ok', detail: 'open in another process' },
  new: { state: 'missing', detail: 'the first start creates it' },
  old: { state: 'missing', detail: 'the next start brings its schema up to date' },
};

async function database(config: Config): Promise<Found> {
  try {
    const { state, detail } = DATABASES[await inspectStore(config)];
    const kind = config.databaseUrl === undefined ? 'embedded' : 'PostgreSQL';
    return { state, detail: `${kind}; ${detail}` };
  } catch (error) {
    return { ...failed(error), remedy: 'start PostgreSQL, or correct DATABASE_URL' };
  }
}

async function artifacts(config: Config): Promise<Found> {
  const { artifacts: place } = config;
  if (place.startsWith('s3://')) {
    await checkArtifacts(config);
    return { state: 'ok', detail: place };
  }
  const folder = await nearestFolder(place);
  await access(folder, constants.W_OK);
  if (folder === place) return { state: 'ok', detail: place };
  return { state: 'missing', detail: `${place}; the first registration creates it` };
}

async function cache({ redisUrl, cacheTtlSecs }: Config): Promise<Found> {
  const where = redisUrl === undefined ? 'memory of each process' : 'memory and Redis';
  try {
    if (redisUrl !== undefined) await checkRedis(redisUrl);
  } catch (error) {
    return unreachable(error, 'REDIS_URL');
  }
  const ttl = cacheTtlSecs === undefined ? 'models that ask for it' : `${cacheTtlSecs} s`;
  return { state: 'ok', detail: `${where}; CACHE_TTL: ${ttl}` };
}

async function queue({ queueRedisUrl }: Config): Promise<Found> {
  if (queueRedisUrl === undefined) return { state: 'ok', detail: 'from the database' };
  const found = await checkRedis(queueRedisUrl).catch((error) =>
    unreachable(error, 'QUEUE_REDIS_URL'),
  );
  if ('state' in found) return found;
  const { maxmemoryPolicy } = found;
  const detail = `BullMQ; maxmemory-policy ${maxmemoryPolicy ?? 'unknown'}`;
  if (maxmemoryPolicy === undefined || maxmemoryPolicy === 'noeviction') {
    return { state: 'ok', detail };
  }
  const remedy = 'redis-cli config set maxmemory-policy noeviction';
  return { state: 'failed', detail, remedy };
}

const unreachable = (error: unknown, setting: string): Found => ({
  ...failed(error),
  remedy: `start Redis, or correct ${setting}`,
});

async function signatures(config: Config): Promise<Found> {
  const { keys, keyless } = await readTrust(config);
  const trusted = `${keys.size} keys${keyless === undefined ? '' : ' and one identity'}`;
  const detail = `SIGNATURE_POLICY=${config.signaturePolicy}; ${trusted} trusted`;
  if (config.signaturePolicy === 'off') return { state: 'off', detail };
  if (keys.size > 0 || keyless !== undefined) return { state: 'ok', detail };
  return { state: 'failed', detail, remedy: 'name public keys in SIGNATURE_KEYS' };
}

function webhooks({ webhookSecret }: Config): Found {
  if (webhookSecret !== undefined) return { state: 'ok', detail: 'signed with WEBHOOK_SECRET' };
  return { state: 'off', detail: 'jobs with a webhook are refused', remedy: 'set WEBHOOK_SECRET' };
}

async function server(url: string): Promise<Found> {
  const signal = AbortSignal.timeout(SERVER_MS);
  const response = await fetch(new URL('/ready', url), { signal }).catch(() => undefined);
  if (response === undefined) {
    return { state: 'missing', detail: `nothing responds at ${url}`, remedy: 'npm start' };
  }
  const body = (await response.json().catch(() => ({}))) as { status?: string; notes?: string[] };
  const { status, notes } = body;
  if (status === undefined) {
    const remedy = 'write the address of a millrace in --url or MILLRACE_URL';
    return { state: 'failed', detail: `${url} is another server`, remedy };
  }
  const detail = [`${url} is ${status}`, ...(notes ?? [])].join('; ');
  return { state: response.ok ? 'ok' : 'failed', detail };
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** The folder, or the deepest one above it that exists. */
async function nearestFolder(path: string): Promise<string> {
  return (await exists(path)) ? path : nearestFolder(dirname(path));
}
