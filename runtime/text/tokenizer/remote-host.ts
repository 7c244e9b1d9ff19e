/** @module The threads of tokenizers that another thread of the process has started. */

import type { MessagePort } from 'node:worker_threads';
import { ServeError } from '../../errors.ts';
import { type Failure, fromFailure, toFailure } from '../../failure.ts';
import type { TokenizerConnection, TokenizerHost } from './tokenizer-host.ts';
import type { LoadedFacts } from './wire.ts';

/** The id names the connection. */
type HostRequest =
  | { readonly kind: 'connect'; readonly id: number; readonly path: string }
  | { readonly kind: 'release'; readonly id: number }
  | { readonly kind: 'close' };

type HostReply =
  | { readonly id: number; readonly port: MessagePort; readonly facts: LoadedFacts }
  | { readonly id: number; readonly failure: Failure }
  | { readonly id: number; readonly ended: true };

interface Connecting {
  resolve(connection: TokenizerConnection): void;
  reject(error: ServeError): void;
}

/** Lets another thread connect to the tokenizers of this one, until it closes its host. */
export function serveHost(host: TokenizerHost, port: MessagePort): void {
  const connections = new Map<number, TokenizerConnection>();
  const connect = async (id: number, path: string) => {
    try {
      const connection = await host.connect(path);
      connections.set(id, connection);
      void connection.ended.then(() => port.postMessage({ id, ended: true } satisfies HostReply));
      const reply: HostReply = { id, port: connection.port, facts: connection.facts };
      port.postMessage(reply, [connection.port]);
    } catch (error) {
      port.postMessage({ id, failure: toFailure(error) } satisfies HostReply);
    }
  };
  port.on('message', (request: HostRequest) => {
    if (request.kind === 'connect') return void connect(request.id, request.path);
    if (request.kind === 'close') {
      for (const { release } of connections.values()) release();
      return port.close();
    }
    connections.get(request.id)?.release();
    connections.delete(request.id);
  });
}

export class RemoteHost implements TokenizerHost {
  readonly #port: MessagePort;
  readonly #connecting = new Map<number, Connecting>();
  readonly #ended = new Map<number, () => void>();
  #last = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (reply: HostReply) => this.#receive(reply));
  }

  connect(path: string): Promise<TokenizerConnection> {
    this.#last += 1;
    const connecting = Promise.withResolvers<TokenizerConnection>();
    this.#connecting.set(this.#last, connecting);
    this.#send({ kind: 'connect', id: this.#last, path });
    return connecting.promise;
  }

  async close(): Promise<void> {
    this.#send({ kind: 'close' });
    this.#port.close();
    const closed = new ServeError('DRAINING', 'The server is shutting down.');
    for (const { reject } of this.#connecting.values()) reject(closed);
  }

  #receive(reply: HostReply): void {
    const { id } = reply;
    if ('ended' in reply) {
      this.#ended.get(id)?.();
      this.#ended.delete(id);
      return;
    }
    const connecting = this.#connecting.get(id)!;
    this.#connecting.delete(id);
    if ('failure' in reply) {
      connecting.reject(fromFailure(reply.failure));
      return;
    }
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.#ended.set(id, resolve);
    const release = () => {
      this.#ended.delete(id);
      this.#send({ kind: 'release', id });
    };
    connecting.resolve({ port: reply.port, facts: reply.facts, ended, release });
  }

  #send(request: HostRequest): void {
    this.#port.postMessage(request);
  }
}
