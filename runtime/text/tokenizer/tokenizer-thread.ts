/** @module The thread of a tokenizer, which `tokenizer-threads.ts` starts. */

import type { MessagePort } from 'node:worker_threads';
import { ServeError } from '../../errors.ts';
import { type Failure, toFailure } from '../../failure.ts';
import { exit, type Parent, parentThread } from '../../host/index.ts';
import { EncodeQueue } from './encode-queue.ts';
import { LoadedTokenizer } from './loaded-tokenizer.ts';
import { Outbox } from './outbox.ts';
import type {
  Encoded,
  TokenizerReply,
  TokenizerRequest,
  TokenizerThreadCommand,
  TokenizerThreadData,
  TokenizerThreadEvent,
} from './wire.ts';

async function run(parent: Parent): Promise<void> {
  const tell = (event: TokenizerThreadEvent) => parent.send(event);
  try {
    const tokenizer = await LoadedTokenizer.load(parent.data as TokenizerThreadData);
    const queue = new EncodeQueue(tokenizer);
    const ports: MessagePort[] = [];
    const end = async () => {
      await queue.idle();
      for (const port of ports) port.close();
      await tokenizer.free();
      leave();
    };
    const leave = parent.onMessage((message) => {
      const command = message as TokenizerThreadCommand;
      if (command.kind === 'end') return void end();
      ports.push(command.port);
      serve(command.port, tokenizer, queue);
    });
    tell({ kind: 'ready', facts: tokenizer.facts });
  } catch (error) {
    tell({ kind: 'failed', failure: failureOf(error) });
    exit(1);
  }
}

/** Answers the requests of one user until the user closes the port. */
function serve(port: MessagePort, tokenizer: LoadedTokenizer, queue: EncodeQueue): void {
  const drops = new Map<number, () => void>();
  const replies = new Outbox<TokenizerReply>(port);
  const reply = (answer: TokenizerReply, moved: readonly ArrayBuffer[] = []) =>
    replies.post(answer, moved);
  const fail = (id: number, error: unknown) => reply({ id, failure: failureOf(error) });
  const answer = (request: TokenizerRequest) => {
    const { id } = request;
    switch (request.kind) {
      case 'encode': {
        const drop = queue.add(request, (encoded) => {
          drops.delete(id);
          if (encoded instanceof Error) fail(id, encoded);
          else reply({ id, encoded }, buffersOf(encoded));
        });
        if (request.texts.length > 0) drops.set(id, drop);
        break;
      }
      case 'cancel':
        drops.get(id)?.();
        drops.delete(id);
        break;
      case 'decode':
        void tokenizer.decode(request.lists).then(
          (texts) => reply({ id, texts }),
          (error) => fail(id, error),
        );
        break;
      case 'names':
        reply({ id, texts: request.ids.map((each) => tokenizer.nameOf(each)) });
        break;
      case 'id':
        reply({ id, tokenId: tokenizer.idOf(request.name) });
        break;
    }
  };
  port.on('message', (requests: readonly TokenizerRequest[]) => requests.forEach(answer));
}

const failureOf = (error: unknown): Failure =>
  toFailure(
    error instanceof ServeError
      ? error
      : new ServeError('INTERNAL', 'The tokenizer of the model has failed.', { cause: error }),
  );

const buffersOf = ({ ids, lengths, offsets }: Encoded): ArrayBuffer[] =>
  offsets === undefined ? [ids, lengths] : [ids, lengths, offsets];

const parent = parentThread();
if (parent !== undefined) await run(parent);
