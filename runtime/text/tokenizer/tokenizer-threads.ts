/** @module The threads of the tokenizers of this process: one for each file of different content (.github/decisions/0044). */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { MessageChannel } from 'node:worker_threads';
import { ServeError } from '../../errors.ts';
import { fromFailure } from '../../failure.ts';
import { startThread, type Thread } from '../../host/index.ts';
import type { TokenizerConnection, TokenizerHost } from './tokenizer-host.ts';
import type {
  LoadedFacts,
  TokenizerThreadCommand,
  TokenizerThreadData,
  TokenizerThreadEvent,
} from './wire.ts';

const MODULE = new URL('./tokenizer-thread.ts', import.meta.url);

interface SharedThread {
  readonly thread: Thread;
  readonly facts: Promise<LoadedFacts>;
  /** Resolves if it ends although it is in use. */
  readonly ended: Promise<void>;
  users: number;
}

export class TokenizerThreads implements TokenizerHost {
  /** By the digest of the file. A thread that is to end, or has ended, is not in it. */
  readonly #threads = new Map<string, SharedThread>();
  /** Threads that have not ended. */
  readonly #running = new Set<Thread>();

  async connect(path: string): Promise<TokenizerConnection> {
    const digest = await digestOf(path);
    const shared = this.#threads.get(digest) ?? this.#start({ path, digest });
    shared.users += 1;
    try {
      const facts = await shared.facts;
      const { port1, port2 } = new MessageChannel();
      const command: TokenizerThreadCommand = { kind: 'connect', port: port2 };
      shared.thread.send(command, [port2]);
      let released = false;
      const release = () => {
        if (!released) this.#release(digest, shared);
        released = true;
      };
      return { port: port1, facts, ended: shared.ended, release };
    } catch (error) {
      this.#release(digest, shared);
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const [digest, shared] of this.#threads) this.#end(digest, shared);
    await Promise.all([...this.#running].map(({ ended }) => ended));
  }

  #start(data: TokenizerThreadData): SharedThread {
    const thread = startThread(MODULE, data);
    this.#running.add(thread);
    const facts = readyOf(thread);
    // Every user awaits it.
    facts.catch(() => {});
    const { promise: ended, resolve: tellEnded } = Promise.withResolvers<void>();
    const shared: SharedThread = { thread, facts, ended, users: 0 };
    this.#threads.set(data.digest, shared);
    void thread.ended.then(() => {
      this.#running.delete(thread);
      this.#remove(data.digest, shared);
      if (shared.users > 0) tellEnded();
    });
    return shared;
  }

  #release(digest: string, shared: SharedThread): void {
    shared.users -= 1;
    if (shared.users === 0) this.#end(digest, shared);
  }

  #end(digest: string, shared: SharedThread): void {
    this.#remove(digest, shared);
    const command: TokenizerThreadCommand = { kind: 'end' };
    // It would not listen before it is loaded.
    void shared.facts.then(
      () => shared.thread.send(command),
      () => {},
    );
  }

  #remove(digest: string, shared: SharedThread): void {
    if (this.#threads.get(digest) === shared) this.#threads.delete(digest);
  }
}

/** SHA-256 of a file, hexadecimal. It is read in pieces, so that the thread is never occupied for long. */
async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array);
  } catch (cause) {
    throw new ServeError('INVALID_CONFIG', 'tokenizer.json cannot be read.', { cause });
  }
  return hash.digest('hex');
}

async function readyOf(thread: Thread): Promise<LoadedFacts> {
  const first = new Promise<TokenizerThreadEvent>((resolve) => {
    thread.onMessage((message) => resolve(message as TokenizerThreadEvent));
  });
  const event = await Promise.race([first, thread.ended]);
  if (event === undefined || event instanceof Error) {
    throw new ServeError('INTERNAL', 'The thread of a tokenizer ended while it was loading.', {
      cause: event,
    });
  }
  if (event.kind === 'failed') throw fromFailure(event.failure);
  return event.facts;
}
