/** @module Lets another thread use a store of this one, as a `RemoteStore`. */

import type { MessagePort } from 'node:worker_threads';
import { toWire, unavailable } from './failure.ts';
import type { NamedLock, Sql, Store } from './store.ts';
import type { StoreAnswer, StoreReply, StoreRequest } from './wire.ts';

/** A transaction that the other thread has begun. */
interface OpenTransaction {
  /** Undefined before it begins and after it has ended. */
  sql: Sql | undefined;
  readonly end: (commit: boolean) => void;
  /** Settles when it is committed or rolled back. */
  readonly over: Promise<void>;
}

/**
 * Answers the requests that arrive at a port until the other side closes its store.
 *
 * @param onClose Called when it has. By default the store stays open.
 */
export function serveStore(
  store: Store,
  port: MessagePort,
  onClose: () => Promise<void> = async () => {},
): void {
  const server = new StoreServer(store, (reply) => port.postMessage(reply));
  port.on('message', async (request: StoreRequest) => {
    const { id } = request;
    try {
      const answer = await server.answer(request);
      if (request.kind === 'close') await onClose();
      port.postMessage({ id, answer } satisfies StoreReply);
    } catch (error) {
      port.postMessage({ id, failure: toWire(error) } satisfies StoreReply);
    }
    if (request.kind === 'close') port.close();
  });
}

class StoreServer {
  readonly #store: Store;
  readonly #send: (reply: StoreReply) => void;
  readonly #transactions = new Map<number, OpenTransaction>();
  readonly #listeners = new Map<number, Promise<() => Promise<void>>>();
  readonly #locks = new Map<number, Promise<NamedLock | undefined>>();

  constructor(store: Store, send: (reply: StoreReply) => void) {
    this.#store = store;
    this.#send = send;
  }

  async answer(request: StoreRequest): Promise<StoreAnswer> {
    switch (request.kind) {
      case 'query':
        return this.#sql(request.transaction).query(request.text, request.values);
      case 'begin':
        return this.#begin(request.id);
      case 'end':
        return this.#end(request.transaction, request.commit);
      case 'listen':
        return this.#listen(request.id, request.channel);
      case 'unlisten':
        return this.#unlisten(request.listener);
      case 'lock':
        return this.#lock(request.id, request.name);
      case 'unlock':
        return this.#unlock(request.lock);
      case 'ping':
        return undefined;
      case 'close':
        return this.#close();
    }
  }

  #sql(transaction: number | undefined): Sql {
    if (transaction === undefined) return this.#store;
    const sql = this.#transactions.get(transaction)?.sql;
    // It has taken too long and was rolled back.
    if (sql === undefined) throw unavailable();
    return sql;
  }

  #begin(id: number): Promise<undefined> {
    return new Promise((begun, failed) => {
      let end: OpenTransaction['end'] = () => {};
      const work = new Promise<void>((resolve, reject) => {
        end = (commit) => (commit ? resolve() : reject(unavailable()));
      });
      // It may be rolled back before it begins.
      work.catch(() => {});
      const over = this.#store.transaction((sql) => {
        transaction.sql = sql;
        begun(undefined);
        return work;
      });
      const transaction: OpenTransaction = { sql: undefined, end, over };
      this.#transactions.set(id, transaction);
      over.catch(failed).finally(() => {
        transaction.sql = undefined;
      });
    });
  }

  async #end(id: number, commit: boolean): Promise<undefined> {
    const transaction = this.#transactions.get(id);
    this.#transactions.delete(id);
    transaction?.end(commit);
    if (commit) await transaction?.over;
    else await transaction?.over.catch(() => {});
  }

  async #listen(id: number, channel: string): Promise<undefined> {
    const listening = this.#store.listen(channel, (payload) =>
      this.#send({ listener: id, payload }),
    );
    this.#listeners.set(id, listening);
    await listening;
  }

  async #unlisten(id: number): Promise<undefined> {
    const listening = this.#listeners.get(id);
    this.#listeners.delete(id);
    const end = await listening?.catch(() => undefined);
    await end?.();
  }

  async #lock(id: number, name: string): Promise<boolean> {
    const locking = this.#store.tryLock(name);
    this.#locks.set(id, locking);
    const lock = await locking;
    lock?.lost.addEventListener('abort', () => this.#send({ lost: id }));
    return lock !== undefined;
  }

  async #unlock(id: number): Promise<undefined> {
    const locking = this.#locks.get(id);
    this.#locks.delete(id);
    const lock = await locking?.catch(() => undefined);
    await lock?.release();
  }

  async #close(): Promise<undefined> {
    await Promise.all([
      ...[...this.#transactions.keys()].map((id) => this.#end(id, false)),
      ...[...this.#listeners.keys()].map((id) => this.#unlisten(id)),
      ...[...this.#locks.keys()].map((id) => this.#unlock(id)),
    ]);
  }
}
