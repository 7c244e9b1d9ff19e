/** @module Opens the tokenizers of a process, and lets its other threads use them. */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { RemoteHost, serveHost } from './remote-host.ts';
import { RemoteTokenizer } from './remote-tokenizer.ts';
import type { Tokenizers } from './tokenizer.ts';
import type { TokenizerHost } from './tokenizer-host.ts';
import { TokenizerThreads } from './tokenizer-threads.ts';

/** Those of the process, in the thread that starts the threads of tokenizers. */
export interface OpenTokenizers extends Tokenizers {
  /** Lets another thread of this process use the same tokenizers: what to pass, and to move, to `joinTokenizers` there. */
  share(): MessagePort;
}

/** Nothing is started before the first tokenizer is loaded. */
export function openTokenizers(): OpenTokenizers {
  const threads = new TokenizerThreads();
  return {
    ...tokenizersOf(threads),
    share() {
      const { port1, port2 } = new MessageChannel();
      serveHost(threads, port1);
      return port2;
    },
  };
}

/** The tokenizers of the thread that has started this one. */
export const joinTokenizers = (port: MessagePort): Tokenizers => tokenizersOf(new RemoteHost(port));

const tokenizersOf = (host: TokenizerHost): Tokenizers => ({
  load: (source) => RemoteTokenizer.open(host, source),
  close: () => host.close(),
});
