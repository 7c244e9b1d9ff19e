/** @module Settings of the platform around the models: stores, artifacts, traffic, cache, jobs and signatures. */

import { join, resolve } from 'node:path';
import { z } from 'zod';
import { flag, secret, setting, text, whole } from './setting.ts';

const YEAR_SECS = 31_536_000;
const POLICIES = ['require', 'warn', 'off'] as const;

const url = (...schemes: readonly string[]) => {
  const message = `a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`;
  return z.string(message).refine((given) => {
    if (!URL.canParse(given)) return false;
    const { protocol, username, password, pathname } = new URL(given);
    return schemes.includes(protocol.slice(0, -1)) && isEscaped(username + password + pathname);
  }, message);
};

/** Whether each `%` begins an escaped character, as clients of stores expect it. */
function isEscaped(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

export const platformSettings = {
  STATE_DIR: setting(
    text.default('.millrace'),
    'Folder of everything that is stored on this machine: the embedded database and the artifacts',
    '.millrace',
  ),
  DATABASE_URL: secret(
    url('postgres', 'postgresql').optional(),
    'PostgreSQL for models, routes and jobs; by default an embedded database in STATE_DIR/db',
    'postgres://millrace:…@localhost/millrace',
  ),
  REDIS_URL: secret(
    url('redis', 'rediss').optional(),
    'Redis for the response cache; by default only the memory of each process',
    'redis://localhost:6379',
  ),
  QUEUE_REDIS_URL: secret(
    url('redis', 'rediss').optional(),
    'Redis with maxmemory-policy noeviction that dispatches jobs (BullMQ); by default each process dispatches from the database',
    'redis://localhost:6380',
  ),
  ARTIFACTS: setting(
    text.optional(),
    'Where registered models are stored: a folder, or s3://bucket/prefix; STATE_DIR/artifacts by default',
    's3://models/production',
  ),
  S3_ENDPOINT: setting(
    url('http', 'https').optional(),
    'Address of a store that speaks the S3 API; by default that of AWS',
    'http://localhost:9001',
  ),
  AWS_REGION: setting(text.default('us-east-1'), 'Region of the S3 bucket', 'us-east-1'),
  AWS_ACCESS_KEY_ID: setting(text.optional(), 'Key id for the S3 store', 'AKIA…'),
  AWS_SECRET_ACCESS_KEY: secret(text.optional(), 'Key for the S3 store', '…'),
  AWS_SESSION_TOKEN: secret(text.optional(), 'Session token for the S3 store', '…'),
  ALLOW_LOCAL_SOURCES: setting(
    flag.default(false),
    'Whether a registration may name a file on the server',
    'true',
  ),
  VALIDATION_MEMORY_BYTES: setting(
    whole(64 * 1024 * 1024, 2 ** 42).default(4 * 1024 ** 3),
    'Maximum memory of the process that tries a registered model',
    '4294967296',
  ),
  VALIDATION_TIMEOUT_SECS: setting(
    whole(1, 86_400).default(120),
    'Maximum time of the process that tries a registered model',
    '120',
  ),
  SIGNATURE_POLICY: setting(
    z.enum(POLICIES, `one of ${POLICIES.join(', ')}`).default('off'),
    'Whether registered models must be signed: require, warn or off; signature_policy in model.json may ask for more',
    'require',
  ),
  SIGNATURE_KEYS: setting(
    text.optional(),
    'PEM file, or folder of them, with the public keys that may sign models',
    'keys/signing.pub',
  ),
  SIGNATURE_TRUST_ROOT: setting(
    text.optional(),
    'Sigstore trusted_root.json for models that were signed without a key of their own',
    'trusted_root.json',
  ),
  SIGNATURE_IDENTITY: setting(
    text.optional(),
    'Identity that a signature without a key must have, as `issuer identity`',
    'https://accounts.example.com release@example.com',
  ),
  ROUTING_FILE: setting(
    text.optional(),
    'JSON file of routes, followed while running; what it names takes precedence over the database',
    '/etc/millrace/routing.json',
  ),
  SHADOW_KEEP_INPUTS: setting(
    flag.default(false),
    'Whether disagreements of a shadow are stored with their inputs',
    'true',
  ),
  FEEDBACK_TTL: setting(
    whole(1, YEAR_SECS).default(86_400),
    'Seconds for which /feedback may name a request',
    '86400',
  ),
  CACHE_TTL: setting(
    whole(0, YEAR_SECS).optional(),
    'Seconds for which responses of every model are cached; 0 turns the cache off; `cache` in model.json overrides it',
    '3600',
  ),
  CACHE_MAX_BYTES: setting(
    whole(0, 2 ** 40).default(64 * 1024 * 1024),
    'Maximum bytes of the response cache in each HTTP thread',
    '67108864',
  ),
  JOB_CONCURRENCY: setting(
    whole(0, 1024).default(4),
    'Jobs that this process runs at the same time; 0 only accepts them',
    '4',
  ),
  JOB_RESULT_TTL: setting(
    whole(1, YEAR_SECS).default(86_400),
    'Seconds for which results of jobs are kept',
    '86400',
  ),
  WEBHOOK_SECRET: secret(text.optional(), 'Key that signs webhooks of jobs', '…'),
  WEBHOOK_ALLOW: setting(
    text.optional(),
    'Hosts (host or host:port) and networks (CIDR) that webhooks may reach although they are local or without TLS, separated by commas',
    'hooks.internal:8080,10.1.0.0/16',
  ),
};

type Settings = z.infer<z.ZodObject<typeof platformSettings>>;

export type SignaturePolicy = (typeof POLICIES)[number];

export interface S3Settings {
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly accessKeyId: string | undefined;
  readonly secretAccessKey: string | undefined;
  readonly sessionToken: string | undefined;
}

export interface PlatformSettings {
  /** Absolute path. */
  readonly stateDir: string;
  readonly databaseUrl: string | undefined;
  readonly redisUrl: string | undefined;
  readonly queueRedisUrl: string | undefined;
  /** The absolute path of a folder, or `s3://bucket/prefix`. */
  readonly artifacts: string;
  readonly s3: S3Settings;
  readonly allowLocalSources: boolean;
  readonly validationMemoryBytes: number;
  readonly validationTimeoutMs: number;
  readonly signaturePolicy: SignaturePolicy;
  /** Absolute path of a PEM file or a folder of them. */
  readonly signatureKeys: string | undefined;
  readonly signatureTrustRoot: string | undefined;
  readonly signatureIdentity: string | undefined;
  /** Absolute path. */
  readonly routingFile: string | undefined;
  readonly shadowKeepInputs: boolean;
  readonly feedbackTtlSecs: number;
  /** Undefined if it is not set, which caches the models that ask for it. */
  readonly cacheTtlSecs: number | undefined;
  readonly cacheMaxBytes: number;
  readonly jobConcurrency: number;
  readonly jobResultTtlSecs: number;
  readonly webhookSecret: string | undefined;
  /** Hosts and networks, not checked yet. */
  readonly webhookAllow: readonly string[];
}

/** @param cwd The folder that relative paths start from. */
export function readPlatformSettings(settings: Settings, cwd: string): PlatformSettings {
  const path = (given: string | undefined) =>
    given === undefined ? undefined : resolve(cwd, given);
  const stateDir = resolve(cwd, settings.STATE_DIR);
  const { ARTIFACTS: artifacts, WEBHOOK_ALLOW: allowed } = settings;
  return {
    stateDir,
    databaseUrl: settings.DATABASE_URL,
    redisUrl: settings.REDIS_URL,
    queueRedisUrl: settings.QUEUE_REDIS_URL,
    artifacts: artifacts?.startsWith('s3://')
      ? artifacts
      : (path(artifacts) ?? join(stateDir, 'artifacts')),
    s3: {
      endpoint: settings.S3_ENDPOINT,
      region: settings.AWS_REGION,
      accessKeyId: settings.AWS_ACCESS_KEY_ID,
      secretAccessKey: settings.AWS_SECRET_ACCESS_KEY,
      sessionToken: settings.AWS_SESSION_TOKEN,
    },
    allowLocalSources: settings.ALLOW_LOCAL_SOURCES,
    validationMemoryBytes: settings.VALIDATION_MEMORY_BYTES,
    validationTimeoutMs: settings.VALIDATION_TIMEOUT_SECS * 1000,
    signaturePolicy: settings.SIGNATURE_POLICY,
    signatureKeys: path(settings.SIGNATURE_KEYS),
    signatureTrustRoot: path(settings.SIGNATURE_TRUST_ROOT),
    signatureIdentity: settings.SIGNATURE_IDENTITY,
    routingFile: path(settings.ROUTING_FILE),
    shadowKeepInputs: settings.SHADOW_KEEP_INPUTS,
    feedbackTtlSecs: settings.FEEDBACK_TTL,
    cacheTtlSecs: settings.CACHE_TTL,
    cacheMaxBytes: settings.CACHE_MAX_BYTES,
    jobConcurrency: settings.JOB_CONCURRENCY,
    jobResultTtlSecs: settings.JOB_RESULT_TTL,
    webhookSecret: settings.WEBHOOK_SECRET,
    webhookAllow: allowed?.split(',').map((each) => each.trim()) ?? [],
  };
}

/** A sentence about settings that contradict each other; undefined if none do. */
export function platformContradiction(settings: Settings): string | undefined {
  const { ARTIFACTS: artifacts, REDIS_URL: cache, QUEUE_REDIS_URL: queue } = settings;
  if (artifacts?.startsWith('s3://') && !/^s3:\/\/[a-z0-9][a-z0-9.-]+(?:\/|$)/.test(artifacts)) {
    return `ARTIFACTS is ${artifacts}, which names no bucket; write s3://bucket/prefix`;
  }
  if (cache !== undefined && cache === queue) {
    return 'REDIS_URL and QUEUE_REDIS_URL are the same server; a cache evicts and a queue must not, so write two';
  }
  return undefined;
}
