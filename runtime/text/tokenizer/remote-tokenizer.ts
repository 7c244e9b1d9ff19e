/** @module A tokenizer that is in another thread; see `tokenizer-thread.ts`. */

import type { CancelSignal } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import { fromFailure } from '../../failure.ts';
import { ShortTurns } from '../../short-turns.ts';
import { cleanUpSpaces } from './clean-up-spaces.ts';
import { type Division, leastTokens } from './least-tokens.ts';
import { Outbox } from './outbox.ts';
import { PendingAnswers } from './pending-answers.ts';
import { countSpecial } from './special-tokens.ts';
import { DecodedStream } from './text-stream.ts';
import type {
  EncodedText,
  EncodeOptions,
  TextOrPair,
  TextTokenizer,
  TokenizerFacts,
  TokenizerSource,
  TokenTextStream,
} from './tokenizer.ts';
import type { TokenizerConnection, TokenizerHost } from './tokenizer-host.ts';
import { tooManyTokens } from './too-much-text.ts';
import { pairWindows, type Sequence, textWindows, type WindowFacts } from './windows.ts';
import type { Encoded, LoadedFacts, TokenizerReply, TokenizerRequest } from './wire.ts';

/** Milliseconds for which the windows of many texts occupy the thread at a time. */
const TURN_MS = 2;

/** A connection with the requests that wait for its answers. */
interface Link {
  readonly connection: TokenizerConnection;
  readonly pending: PendingAnswers;
}

export class RemoteTokenizer implements TextTokenizer {
  readonly facts: TokenizerFacts;
  readonly #host: TokenizerHost;
  readonly #source: TokenizerSource;
  readonly #windows: WindowFacts;
  readonly #cleansUp: boolean;
  readonly #bytes: ReadonlySet<number>;
  readonly #division: Division;
  /** The names of tokens that were asked for. */
  readonly #names = new Map<number, string>();
  /** Undefined after the thread has ended, until the next request starts another one. */
  #link: Promise<Link> | undefined;
  #closed = false;

  private constructor(
    host: TokenizerHost,
    source: TokenizerSource,
    link: Link,
    unknownId: number | undefined,
  ) {
    const { facts } = link.connection;
    const truncationSide = source.truncationSide ?? facts.truncationSide;
    this.#host = host;
    this.#source = source;
    this.#windows = { specialTokens: facts.specialTokens, truncationSide };
    // As in transformers: it would remove spaces that are part of the text.
    this.#cleansUp = source.cleanUpSpaces === true && facts.model !== 'BPE';
    this.#bytes = new Set(facts.byteIds);
    this.#division = facts.division;
    this.facts = publicFacts(facts, truncationSide, unknownId);
    this.#keep(Promise.resolve(link));
  }

  /** @throws {ServeError} `INVALID_CONFIG` */
  static async open(host: TokenizerHost, source: TokenizerSource): Promise<RemoteTokenizer> {
    const link = await connect(host, source.path);
    const { unknownToken } = source;
    const unknownId =
      unknownToken === undefined
        ? link.connection.facts.unknownId
        : await link.pending.ask<number | undefined>({ kind: 'id', name: unknownToken });
    return new RemoteTokenizer(host, source, link, unknownId);
  }

  async encode(
    texts: readonly TextOrPair[],
    options: EncodeOptions = {},
    signal?: CancelSignal,
  ): Promise<readonly EncodedText[]> {
    const { prefix = '', offsets = false, maxTokens = Number.POSITIVE_INFINITY } = options;
    const sent = new DistinctTexts();
    const add = (text: string) =>
      sent.add(this.#source.lowersCase === true ? text.toLowerCase() : text);
    const places = texts.map((text) =>
      typeof text === 'string' ? add(prefix + text) : ([add(text[0]), add(text[1])] as const),
    );
    const prefixPlace = prefix === '' ? undefined : add(prefix);
    this.checkLength(sent.texts, maxTokens);
    const { pending } = await this.#linked();
    const encoded = await pending.ask<Encoded>(
      {
        kind: 'encode',
        texts: sent.texts,
        ...{ offsets, split: options.splitSpecialTokens ?? false },
        limit: maxTokens,
      },
      signal,
    );
    const sequences = sequencesOf(encoded);
    const prefixLength = prefixPlace === undefined ? 0 : sequences[prefixPlace]!.ids.length;
    const turns = new ShortTurns(TURN_MS);
    const results: EncodedText[] = [];
    let tokens = 0;
    for (const place of places) {
      const result =
        typeof place === 'number'
          ? this.#textWindows(sequences[place]!, prefixLength, options)
          : pairWindows(sequences[place[0]]!, sequences[place[1]]!, this.#windows, options);
      tokens += result.length;
      if (tokens > maxTokens) throw tooManyTokens(texts.length, maxTokens);
      results.push(result);
      await turns.pause();
    }
    return results;
  }

  checkLength(texts: readonly string[], maxTokens: number): void {
    let least = 0;
    for (const text of texts) {
      least += leastTokens(text, this.#division);
      if (least > maxTokens) throw tooManyTokens(texts.length, maxTokens);
    }
  }

  async decode(ids: ArrayLike<number>): Promise<string> {
    const [text] = await this.#decode([ids]);
    return text!;
  }

  stream(): TokenTextStream {
    return new DecodedStream((lists) => this.#decode(lists), this.#cleansUp, this.#bytes);
  }

  async namesOf(ids: ArrayLike<number>): Promise<readonly string[]> {
    const unknown = new Set<number>();
    for (let i = 0; i < ids.length; i += 1) {
      if (!this.#names.has(ids[i]!)) unknown.add(ids[i]!);
    }
    if (unknown.size > 0) {
      const asked = [...unknown];
      const { pending } = await this.#linked();
      const names = await pending.ask<readonly string[]>({ kind: 'names', ids: asked });
      for (const [i, name] of names.entries()) this.#names.set(asked[i]!, name);
    }
    return Array.from(ids, (id) => this.#names.get(id)!);
  }

  async idOf(name: string): Promise<number | undefined> {
    const { pending } = await this.#linked();
    return pending.ask<number | undefined>({ kind: 'id', name });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const link = await this.#link?.catch(() => undefined);
    if (link === undefined) return;
    await link.pending.idle();
    link.connection.port.close();
    link.connection.release();
  }

  #textWindows(text: Sequence, prefixLength: number, options: EncodeOptions): EncodedText {
    const prefix = Math.min(prefixLength, text.ids.length);
    return textWindows(text, prefix, this.#windows, options);
  }

  async #decode(lists: readonly ArrayLike<number>[]): Promise<readonly string[]> {
    const { pending } = await this.#linked();
    const sent = lists.map((ids) => Array.from(ids));
    const texts = await pending.ask<readonly string[]>({ kind: 'decode', lists: sent });
    return this.#cleansUp ? texts.map(cleanUpSpaces) : texts;
  }

  #linked(): Promise<Link> {
    if (this.#closed) {
      const message = 'The model version has just been unloaded; retry.';
      throw new ServeError('MODEL_NOT_READY', message, { retryAfterMs: 0 });
    }
    if (this.#link === undefined) this.#keep(connect(this.#host, this.#source.path));
    return this.#link!;
  }

  /** Uses a connection until it fails. */
  #keep(link: Promise<Link>): void {
    this.#link = link;
    const forget = () => {
      if (this.#link === link) this.#link = undefined;
    };
    void link.then(({ connection }) => connection.ended.then(forget), forget);
  }
}

async function connect(host: TokenizerHost, path: string): Promise<Link> {
  const connection = await host.connect(path);
  const requests = new Outbox<TokenizerRequest>(connection.port);
  const pending = new PendingAnswers((request) => requests.post(request));
  connection.port.on('message', (replies: readonly TokenizerReply[]) => {
    for (const reply of replies) receive(pending, reply);
  });
  void connection.ended.then(() => {
    connection.port.close();
    connection.release();
    pending.end(new ServeError('INTERNAL', 'The tokenizer of the model has failed.'));
  });
  return { connection, pending };
}

function receive(pending: PendingAnswers, reply: TokenizerReply): void {
  const { id } = reply;
  if ('failure' in reply) pending.reject(id, fromFailure(reply.failure));
  else if ('encoded' in reply) pending.resolve(id, reply.encoded);
  else if ('texts' in reply) pending.resolve(id, reply.texts);
  else pending.resolve(id, reply.tokenId);
}

function publicFacts(
  { size, specialTokens, padding, continuingPrefix }: LoadedFacts,
  truncationSide: 'left' | 'right',
  unknownId: number | undefined,
): TokenizerFacts {
  const { single, pair } = specialTokens;
  const added = { single: countSpecial(single), pair: countSpecial(pair) };
  return { size, added, truncationSide, padding, continuingPrefix, unknownId };
}

/** Texts of which each is encoded once, such as the query beside many documents. */
class DistinctTexts {
  readonly texts: string[] = [];
  readonly #places = new Map<string, number>();

  /** The place of the text among the distinct ones. */
  add(text: string): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    this.#places.set(text, this.texts.length);
    return this.texts.push(text) - 1;
  }
}

function sequencesOf(encoded: Encoded): Sequence[] {
  const ids = new Int32Array(encoded.ids);
  const offsets = encoded.offsets && new Uint32Array(encoded.offsets);
  const sequences: Sequence[] = [];
  let at = 0;
  for (const length of new Int32Array(encoded.lengths)) {
    const own = offsets?.subarray(2 * at, 2 * (at + length));
    sequences.push({ ids: ids.subarray(at, at + length), offsets: own });
    at += length;
  }
  return sequences;
}
