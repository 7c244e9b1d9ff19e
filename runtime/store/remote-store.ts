/** @module A store that another thread serves; see `serve-store.ts`. */

import type { MessagePort } from 'node:worker_threads';
import type { ServeError } from '../errors.ts';
import { QUERY_MS, TRANSACTION_MS, within } from './deadlines.ts';
import { fromWire, unavailable } from './failure.ts';
import type { NamedLock, Row, Sql, SqlValue, Store } from './store.ts';
import type { StoreAnswer, StoreReply, StoreRequest } from './wire.ts';

/** A request without its id. */
type Ask = StoreRequest extends infer Each
  ? Each extends unknown
    ? Omit<Each, 'id'>
    : never
  : never;

interface Pending {
  resolve(answer: StoreAnswer): void;
  reject(error: ServeError): void;
}

export class RemoteStore implements Store {
  readonly kind: Store['kind'];
  readonly #port: MessagePort;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Map<number, (payload: string) => void>();
  readonly #locks = new Map<number, AbortController>();
  #last = 0;
  #ended = false;

  constructor(port: MessagePort, kind: Store['kind']) {
    this.kind = kind;
    this.#port = port;
    port.on('message', (reply: StoreReply) => this.#receive(reply));
  }

  async query<Result extends object = Row>(text: string, values: readonly SqlValue[] = []) {
    return this.#query<Result>(text, values, undefined);
  }

  async transaction<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const transaction = this.#nextId();
    const end = (commit: boolean) => this.#ask({ kind: 'end', transaction, commit });
    const query = <Each extends object = Row>(text: string, values: readonly SqlValue[] = []) =>
      this.#query<Each>(text, values, transaction);
    try {
      await this.#ask({ kind: 'begin' }, transaction);
      const result = await within(TRANSACTION_MS, work({ query }));
      await end(true);
      return result;
    } catch (error) {
      await end(false).catch(() => {});
      throw error;
    }
  }

  async listen(channel: string, listener: (payload: string) => void) {
    const id = this.#nextId();
    const end = async () => {
      if (this.#listeners.delete(id)) await this.#ask({ kind: 'unlisten', listener: id });
    };
    this.#listeners.set(id, listener);
    await this.#undoing(this.#ask({ kind: 'listen', channel }, id), end);
    return end;
  }

  async tryLock(name: string): Promise<NamedLock | undefined> {
    const id = this.#nextId();
    const lost = new AbortController();
    const release = async () => {
      if (this.#locks.delete(id)) await this.#ask({ kind: 'unlock', lock: id });
    };
    this.#locks.set(id, lost);
    const held = await this.#undoing(this.#ask({ kind: 'lock', name }, id), release);
    if (held === true) return { lost: lost.signal, release };
    this.#locks.delete(id);
    return undefined;
  }

  /** Resolves when the other thread has answered, which it can unless a statement occupies it. */
  async ping(): Promise<void> {
    await this.#ask({ kind: 'ping' });
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    await this.#ask({ kind: 'close' }).catch(() => {});
    this.end();
  }

  /** Rejects everything that waits for the other thread, which has ended. */
  end(): void {
    this.#ended = true;
    this.#port.close();
    for (const { reject } of this.#pending.values()) reject(unavailable());
    this.#pending.clear();
    for (const lost of this.#locks.values()) lost.abort();
    this.#locks.clear();
  }

  /** Takes back what was asked for if there is no answer, because the other thread may do it later. */
  async #undoing<Result>(answer: Promise<Result>, undo: () => Promise<void>): Promise<Result> {
    try {
      return await answer;
    } catch (error) {
      undo().catch(() => {});
      throw error;
    }
  }

  #nextId(): number {
    this.#last += 1;
    return this.#last;
  }

  async #query<Result extends object>(
    text: string,
    values: readonly SqlValue[],
    transaction: number | undefined,
  ): Promise<readonly Result[]> {
    const rows = await this.#ask({ kind: 'query', text, values, transaction });
    return rows as readonly Result[];
  }

  async #ask(ask: Ask, id = this.#nextId()): Promise<StoreAnswer> {
    if (this.#ended) throw unavailable();
    const answer = new Promise<StoreAnswer>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    this.#port.postMessage({ ...ask, id } satisfies StoreRequest);
    try {
      return await within(QUERY_MS, answer);
    } finally {
      this.#pending.delete(id);
    }
  }

  #receive(reply: StoreReply): void {
    if ('answer' in reply) this.#pending.get(reply.id)?.resolve(reply.answer);
    else if ('failure' in reply) this.#pending.get(reply.id)?.reject(fromWire(reply.failure));
    else if ('listener' in reply) this.#listeners.get(reply.listener)?.(reply.payload);
    else {
      this.#locks.get(reply.lost)?.abort();
      this.#locks.delete(reply.lost);
    }
  }
}
