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

export class RequestRedis {
  readonly #redis: Redis;
  readonly #log: Log;
  #usable = false;
  #closed = false;
  #probe: ReturnType<typeof setTimeout> | undefined;
  #writesFrom = 0;

  /**
   * Connects in the background.
   *
   * @param url `redis://…` or `rediss://…`
   * @param limitMs Maximum time of a command, milliseconds.
   */
  static async open(url: string, log: Log, limitMs = LIMIT_MS): Promise<RequestRedis> {
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
    return new RequestRedis(redis, log);
  }

  private constructor(redis: Redis, log: Log) {
    this.#redis = redis;
    this.#log = log;
    redis.on('ready', () => void this.#ping());
    redis.on('close', () => this.#suspend('the connection was closed'));
    // The library throws an error event that nobody handles. The connection is closed after each of them.
    redis.on('error', (error) => log.debug({ err: error }, 'Redis'));
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

  #suspend(cause: unknown): void {
    if (!this.#usable) return;
    this.#usable = false;
    this.#log.warn({ err: cause }, 'Redis does not respond in time and is not asked until it does');
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
      this.#log.info('Redis is used');
    } catch {
      this.#pingLater();
    }
  }
}

/** Whether Redis itself has refused a command, so that the connection works. */
const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError';
