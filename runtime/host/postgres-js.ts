/** @module PostgreSQL through postgres.js, on hosts without a client of their own. */

import type { Sql } from 'postgres';
import {
  type SqlConnection,
  SqlError,
  type SqlPool,
  type SqlPoolOptions,
  type SqlResult,
} from './sql.ts';

/** Makes a client with one connection, which is opened by its first statement. */
type Connect = (onClose: () => void) => Sql;

export async function openPostgresJs(url: string, options: SqlPoolOptions): Promise<SqlPool> {
  const { default: postgres } = await import('postgres');
  const { connectSecs, idleSecs, session, onClose } = options;
  const connect: Connect = (onClosed) =>
    postgres(url, {
      max: 1,
      connect_timeout: connectSecs,
      idle_timeout: idleSecs,
      connection: { ...session },
      prepare: false,
      // Saves a round trip, which would find out how arrays are written.
      fetch_types: false,
      backoff: () => 0.2,
      types,
      onnotice: () => {},
      onclose() {
        onClosed();
        onClose?.();
      },
    });
  return new ConnectionPool(connect, options.max);
}

const types = {
  number: { to: 0, from: [20, 21, 23, 26, 700, 701, 1700], serialize: String, parse: Number },
  json: {
    to: 114,
    from: [114, 3802],
    serialize: (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value)),
    parse: (text: string) => JSON.parse(text),
  },
  bytea: {
    to: 17,
    from: [17],
    serialize: (bytes: Uint8Array) => `\\x${Buffer.from(bytes).toString('hex')}`,
    parse: (text: string) => new Uint8Array(Buffer.from(text.slice(2), 'hex')),
  },
};

/**
 * A pool of clients with one connection each. The library's own pool connects again under a reserved connection: after a
 * loss, the rest of a transaction would run outside it.
 */
class ConnectionPool implements SqlPool {
  readonly #connect: Connect;
  readonly #listening: Sql;
  readonly #clients = new Set<Client>();
  readonly #idle: Client[] = [];
  readonly #waiting: ReturnType<typeof Promise.withResolvers<Client>>[] = [];
  #free: number;
  #ended = false;

  constructor(connect: Connect, max: number) {
    this.#connect = connect;
    this.#free = max;
    this.#listening = connect(() => {});
  }

  async run(text: string, values?: readonly unknown[]): Promise<SqlResult> {
    const connection = await this.reserve();
    try {
      return await connection.run(text, values);
    } finally {
      connection.release(true);
    }
  }

  async reserve(): Promise<SqlConnection> {
    const client = await this.#take();
    return {
      run: (text, values) => client.run(text, values),
      release: (reusable) => this.#release(client, reusable),
    };
  }

  listen(channel: string, onNotify: (payload: string) => void, onListen: () => void) {
    return this.#listening.listen(channel, onNotify, onListen);
  }

  async end(graceSecs: number): Promise<void> {
    this.#ended = true;
    for (const { reject } of this.#waiting.splice(0)) reject(ended());
    await Promise.all([
      this.#listening.end({ timeout: 0 }),
      ...[...this.#clients].map((client) => client.end(graceSecs)),
    ]);
  }

  #take(): Client | Promise<Client> {
    if (this.#ended) throw ended();
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#free === 0) {
      const waiting = Promise.withResolvers<Client>();
      this.#waiting.push(waiting);
      return waiting.promise;
    }
    this.#free -= 1;
    return this.#create();
  }

  #create(): Client {
    const client = new Client(this.#connect, () => {
      const index = this.#idle.indexOf(client);
      if (index === -1) return;
      this.#idle.splice(index, 1);
      this.#forget(client);
      this.#free += 1;
    });
    this.#clients.add(client);
    return client;
  }

  #forget(client: Client): void {
    this.#clients.delete(client);
    void client.end(0);
  }

  #release(client: Client, reusable: boolean): void {
    const keep = reusable && !client.lost;
    if (!keep) this.#forget(client);
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve(keep ? client : this.#create());
    else if (keep) this.#idle.push(client);
    else this.#free += 1;
  }
}

const ended = () => new Error('The pool is closed');

/** One connection, which is not opened again when it is lost. */
class Client {
  lost = false;
  readonly #sql: Sql;

  constructor(connect: Connect, onLoss: () => void) {
    this.#sql = connect(() => {
      this.lost = true;
      onLoss();
    });
  }

  async run(text: string, values: readonly unknown[] = []): Promise<SqlResult> {
    if (this.lost) throw new Error('The connection is lost');
    try {
      const result = await this.#sql.unsafe(text, values as never[]);
      const last = Array.isArray(result.at(-1)) ? result.at(-1)! : result;
      return { rows: [...last], command: (last as typeof result).command };
    } catch (error) {
      throw asSqlError(error);
    }
  }

  end(graceSecs: number): Promise<void> {
    return this.#sql.end({ timeout: graceSecs });
  }
}

function asSqlError(error: unknown): unknown {
  const refused = error instanceof Error && error.name === 'PostgresError' && 'code' in error;
  return refused ? new SqlError(error.message, String(error.code), { cause: error }) : error;
}
