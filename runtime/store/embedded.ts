/**
 * The embedded database: PGlite in a thread of its own, because a statement occupies its thread, and an error of
 * WebAssembly ends it (decision record 0029). A thread that has ended is replaced.
 *
 * @module
 */

import { existsSync, renameSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { ServeError } from '../errors.ts';
import { startThread, type Thread } from '../host/index.ts';
import type { Log } from '../log.ts';
import { fromWire, unavailable } from './failure.ts';
import { Listeners } from './listeners.ts';
import { LocalLocks } from './local-locks.ts';
import { lockOwner, type OwnerLock } from './owner-lock.ts';
import { RemoteStore } from './remote-store.ts';
import type { Row, Sql, SqlValue, Store } from './store.ts';
import type { StoreThreadData, StoreThreadEvent } from './store-thread.ts';

const MODULE = new URL('./store-thread.ts', import.meta.url);
/** Milliseconds before a thread that could not open the database is replaced. */
const REPLACE_MS = 1000;

interface Running {
  readonly thread: Thread;
  readonly store: RemoteStore;
}

/**
 * Opens the database in a folder, and creates it if there is none.
 *
 * @throws {ServeError} `INVALID_CONFIG` if another process has it open, or a newer version has changed its schema;
 * `STORE_UNAVAILABLE` if it cannot be opened
 */
export async function openEmbedded(folder: string, log: Log): Promise<Store> {
  const lock = await writing(async () => {
    await mkdir(path.dirname(folder), { recursive: true });
    return lockOwner(`${folder}.lock`);
  });
  try {
    if (!existsSync(path.join(folder, 'PG_VERSION'))) await create(folder);
    const store = new EmbeddedStore(folder, lock, log);
    await store.start();
    return store;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A thread that creates a database takes 600 MB, which are free again when it has ended. */
async function create(folder: string): Promise<void> {
  const unfinished = `${folder}.new`;
  await writing(async () => rmSync(unfinished, { recursive: true, force: true }));
  const data: StoreThreadData = { folder: unfinished, port: undefined };
  const thread = startThread(MODULE, data);
  expectReady(await outcome(thread));
  thread.kill();
  await thread.ended;
  await writing(async () => renameSync(unfinished, folder));
}

/** @throws {ServeError} the reason why the thread is not ready */
function expectReady(event: StoreThreadEvent | undefined): void {
  if (event === undefined) throw unavailable();
  if (event.kind === 'failed') throw fromWire(event.failure);
}

/** What the thread tells first; undefined if it ends before. */
function outcome(thread: Thread): Promise<StoreThreadEvent | undefined> {
  return new Promise((resolve) => {
    thread.onMessage((message) => resolve(message as StoreThreadEvent));
    void thread.ended.then(() => resolve(undefined));
  });
}

async function writing<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ServeError || !(error instanceof Error)) throw error;
    const reason = 'code' in error ? String(error.code) : error.name;
    throw new ServeError('INVALID_CONFIG', `STATE_DIR cannot be written: ${reason}.`, {
      cause: error,
    });
  }
}

class EmbeddedStore implements Store {
  readonly kind = 'embedded';
  readonly #folder: string;
  readonly #lock: OwnerLock;
  readonly #log: Log;
  readonly #locks = new LocalLocks();
  readonly #listeners = new Listeners();
  #running: Running | undefined;
  /** Resolves when a thread that has ended is replaced. */
  #replacing: Promise<void> | undefined;
  #checking = false;
  #closed = false;

  constructor(folder: string, lock: OwnerLock, log: Log) {
    this.#folder = folder;
    this.#lock = lock;
    this.#log = log;
  }

  /** Starts the thread. @throws {ServeError} the reason why it cannot open the database */
  async start(): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    const data: StoreThreadData = { folder: this.#folder, port: port2 };
    const thread = startThread(MODULE, data, [port2]);
    const store = new RemoteStore(port1, this.kind);
    try {
      expectReady(await outcome(thread));
      for (const channel of this.#listeners.channels()) await this.#subscribe(store, channel);
    } catch (error) {
      store.end();
      // Two threads on one folder would destroy it.
      thread.kill();
      await thread.ended;
      throw error;
    }
    this.#running = { thread, store };
    void thread.ended.then(() => {
      store.end();
      this.#running = undefined;
      if (!this.#closed) this.#replacing = this.#replace();
    });
  }

  query<Result extends object = Row>(text: string, values?: readonly SqlValue[]) {
    return this.#use((store) => store.query<Result>(text, values));
  }

  transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    return this.#use((store) => store.transaction(work));
  }

  async listen(channel: string, listener: (payload: string) => void) {
    const remove = await this.#listeners.add(channel, listener, () =>
      this.#use((store) => this.#subscribe(store, channel)),
    );
    return async () => remove();
  }

  async tryLock(name: string) {
    return this.#locks.tryLock(name);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#replacing;
    await this.#running?.store.close();
    this.#running?.thread.kill();
    await this.#running?.thread.ended;
    this.#lock.release();
  }

  #subscribe(store: Store, channel: string) {
    return store.listen(channel, (payload) => this.#listeners.notify(channel, payload));
  }

  async #use<Result>(work: (store: RemoteStore) => Promise<Result>): Promise<Result> {
    const running = this.#running;
    if (running === undefined) throw unavailable();
    try {
      return await work(running.store);
    } catch (error) {
      const doubtful = error instanceof ServeError && error.code === 'STORE_UNAVAILABLE';
      if (doubtful) void this.#check(running);
      throw error;
    }
  }

  /** Ends a thread that is occupied for too long: nothing else can cancel a statement of PGlite. */
  async #check(running: Running): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    await running.store.ping().catch(() => running.thread.kill());
    this.#checking = false;
  }

  async #replace(): Promise<void> {
    this.#log.error('the embedded database has failed and is opened again');
    while (!this.#closed) {
      try {
        await this.start();
        return this.#listeners.notifyGap();
      } catch (error) {
        this.#log.error({ err: error }, 'the embedded database cannot be opened');
        await sleep(REPLACE_MS);
      }
    }
  }
}
