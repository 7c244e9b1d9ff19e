/**
 * Redis for what requests can do without. A request waits for it at most a short time, and not at all while it is down or
 * slow: after the first command that fails, none is sent until Redis responds to a ping in time.
 *
 * @module
 */

import type { Buffer } from 'node:buffer';
import type { Redis } from 'ioredis';
import type { Log } from './log.ts';

/** Maximum time of a command, milliseconds. With the delay of a timer on a busy machine a request loses less than 50 ms. */
const LIMIT_MS = 40;
/** Time between two pings while Redis is not usable, and between two attempts to connect. */
const PROBE_MS = 500;
const CONNECT_MS = 2000;
/** A connection on which nothing has come back for this time after a command is replaced. */
const DEAD_MS = 5000;
/** After Redis has refused to store something, because it has no memory or is a replica, nothing is stored for this time. */
const WRITE_PAUSE_MS = 1000;

const OUTAGE = 'Redis does not respond in time and is not asked until it does';
const NEVER_USABLE =
  'The Redis of REDIS_URL cannot be used, and is not asked until it can: start it, or correct REDIS_URL; npx millrace doctor looks again';

export class RequestRedis {
  readonly #redis: Redis;
  readonly #log: Log;
  readonly #onFailure: () => void;
  #usable = false;
  #wasUsable = false;
  /** Whether the log says that it is not usable. */
  #reported = false;
  /** Why the connection will be closed. */
  #cause: unknown;
  #closed = false;
  #probe: ReturnType<typeof setTimeout> | undefined;
  #writesFrom = 0;

  /**
   * Connects in the background.
   *
   * @param url `redis://…` or `rediss://…`
   * @param limitMs Maximum time of a command, milliseconds.
   * @param onFailure Is called for each connection that is lost, cannot be made, or on which Redis refuses a ping.
   */
  static async open(
    url: string,
    log: Log,
    limitMs = LIMIT_MS,
    onFailure: () => void = () => {},
  ): Promise<RequestRedis> {
    const { Redis } = await import('ioredis');
    const redis = new Redis(url, {
      // A command that cannot be sent fails at once instead of waiting for the connection.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: limitMs,
      connectTimeout: CONNECT_MS,
      socketTimeout: DEAD_MS,
      // The check would need the right to read INFO; a server that still loads refuses the first command.
      enableReadyCheck: false,
      disableClientInfo: true,
      retryStrategy: () => PROBE_MS,
    });
    return new RequestRedis(redis, log, onFailure);
  }

  private constructor(redis: Redis, log: Log, onFailure: () => void) {
    this.#redis = redis;
    this.#log = log;
    this.#onFailure = onFailure;
    redis.on('ready', () => void this.#ping());
    redis.on('close', () => this.#lost());
    // The library throws an error event that nobody handles. The connection is closed after each of them.
    redis.on('error', (error) => {
      this.#cause = error;
      log.debug({ err: error }, 'Redis');
    });
  }

  /** Whether commands are sent. */
  get usable(): boolean {
    return this.#usable;
  }

  /**
   * The value of a key; undefined if there is none, and `failed` if Redis is not usable or did not respond in time. Never
   * rejects.
   */
  async get(key: string): Promise<Uint8Array | undefined | 'failed'> {
    if (!this.#usable) return 'failed';
    try {
      return (await this.#redis.getBuffer(key)) ?? undefined;
    } catch (error) {
      this.#fail(error);
      return 'failed';
    }
  }

  /** Stores a value for some time. Never rejects. @returns whether it is stored. */
  async set(key: string, value: Buffer, ttlMs: number): Promise<boolean> {
    if (!this.#usable || performance.now() < this.#writesFrom) return false;
    try {
      await this.#redis.set(key, value, 'PX', Math.max(1, Math.round(ttlMs)));
      return true;
    } catch (error) {
      if (isReply(error)) this.#pauseWrites(error);
      else this.#fail(error);
      return false;
    }
  }

  close(): void {
    this.#closed = true;
    this.#usable = false;
    clearTimeout(this.#probe);
    this.#redis.disconnect();
  }

  #fail(cause: unknown): void {
    this.#suspend(cause);
    this.#pingLater();
  }

  #lost(): void {
    if (this.#closed) return;
    this.#onFailure();
    this.#suspend(this.#cause ?? 'the connection was closed');
    this.#cause = undefined;
  }

  #suspend(cause: unknown): void {
    this.#usable = false;
    if (this.#reported) return;
    this.#reported = true;
    this.#log.warn({ err: cause }, this.#wasUsable ? OUTAGE : NEVER_USABLE);
  }

  #pauseWrites(cause: unknown): void {
    this.#writesFrom = performance.now() + WRITE_PAUSE_MS;
    this.#log.debug({ err: cause }, 'Redis stores nothing');
  }

  #pingLater(): void {
    clearTimeout(this.#probe);
    if (this.#closed) return;
    this.#probe = setTimeout(() => void this.#ping(), PROBE_MS);
    // A ping must not keep a process alive that has nothing else to do.
    this.#probe.unref();
  }

  async #ping(): Promise<void> {
    // When a new connection is ready, it is tried at once.
    if (this.#closed || this.#usable || this.#redis.status !== 'ready') return;
    try {
      await this.#redis.ping();
      if (this.#closed) return;
      this.#usable = true;
      this.#wasUsable = true;
      this.#reported = false;
      this.#log.info('Redis is used');
    } catch (error) {
      if (this.#closed) return;
      if (isReply(error)) this.#onFailure();
      this.#fail(error);
    }
  }
}

/** Whether Redis itself has refused a command, so that the connection works. */
const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError';
