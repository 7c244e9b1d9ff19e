/** @module A tokenizer in its own thread: the library, and what is found out about it when it is loaded. */

import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { BPE, type Encoding, Tokenizer } from 'tokenizers';
import { redact, ServeError } from '../../errors.ts';
import { isObject } from '../../is-object.ts';
import { Collector } from './collector.ts';
import type { Encoder, Tokens } from './encode-queue.ts';
import { type Division, divisionOf, IDEOGRAPHS, leastTokens, WORDS } from './least-tokens.ts';
import { Patterns } from './patterns.ts';
import type { Part, SpecialTokens } from './special-tokens.ts';
import { tooManyTokens } from './too-much-text.ts';
import type { EncodeRequest, LoadedFacts, TokenizerThreadData } from './wire.ts';

/** An object of JSON. */
type Json = Readonly<Record<string, unknown>>;

/** Texts of which one has tokens in any usual vocabulary. Tokens of the vocabulary itself are tried after them. */
const PROBES = ['a', 'the', 'A', '.', '0', ' ', 'я', '的'];
const PROBED_TOKENS = 256;

const NO_SPECIAL = { addSpecialTokens: false };
const WITH_SPECIAL = { addSpecialTokens: true };

/** Characters of the pieces in which the tokens of a long text are counted, and pieces that are counted together. */
const PIECE = 8192;
const PIECES = 4;
/** A text has about as many tokens as its pieces. If those are so many times too many, it has too many as well. */
const CERTAIN = 1.05;

/** A loaded tokenizer. */
export class LoadedTokenizer implements Encoder {
  readonly facts: LoadedFacts;
  readonly #data: TokenizerThreadData;
  readonly #native: Tokenizer;
  readonly #patterns: Patterns;
  readonly #collector = new Collector();
  /** For texts whose special tokens are ordinary text. It needs as much memory again, so it is loaded when it is used. */
  #splitting: Promise<Tokenizer> | undefined;

  private constructor(
    data: TokenizerThreadData,
    native: Tokenizer,
    patterns: Patterns,
    facts: LoadedFacts,
  ) {
    this.#data = data;
    this.#native = native;
    this.#patterns = patterns;
    this.facts = facts;
  }

  /** @throws {ServeError} `INVALID_CONFIG` with the reason why the file is no tokenizer. */
  static async load(data: TokenizerThreadData): Promise<LoadedTokenizer> {
    const text = await readText(data);
    const file = parse(text);
    const patterns = Patterns.of([file.normalizer, file.pre_tokenizer, file.decoder]);
    const native = create(text);
    const specialTokens = await probeSpecialTokens(native);
    const model = member(file, 'model');
    const padding = member(file, 'padding');
    const { continuing_subword_prefix: prefix, type } = model ?? {};
    const facts: LoadedFacts = {
      size: native.getVocabSize(true),
      specialTokens,
      truncationSide: sideOf(member(file, 'truncation')),
      padding: padding && { side: sideOf(padding), id: Number(padding.pad_id ?? 0) },
      continuingPrefix: typeof prefix === 'string' && prefix !== '' ? prefix : undefined,
      unknownId: unknownId(native, model),
      model: typeof type === 'string' ? type : '',
      byteIds: byteIds(native, file.decoder),
      division: await divisionIn(native, file),
    };
    return new LoadedTokenizer(data, native, patterns, facts);
  }

  async encode(texts: readonly string[], { split, offsets }: EncodeRequest): Promise<Tokens[]> {
    const encodings = await this.#encodings(texts, split);
    this.#collector.left(encodings.reduce((sum, each) => sum + each.getLength(), 0));
    return encodings.map((each) => ({
      ids: each.getIds(),
      offsets: offsets ? Uint32Array.from(each.getOffsets().flat()) : undefined,
    }));
  }

  async refusal(text: string, { split, limit }: EncodeRequest): Promise<ServeError | undefined> {
    const slow = this.#patterns.refusal(text);
    if (slow !== undefined || mostTokens(text) <= limit) return slow;
    const { division } = this.facts;
    const leastOf = (some: readonly string[]) =>
      some.reduce((sum, piece) => sum + leastTokens(piece, division), 0);
    const pieces = piecesOf(text);
    let tokens = 0;
    let rest = leastOf(pieces);
    while (pieces.length > 0 && tokens + rest <= limit * CERTAIN) {
      const some = pieces.splice(0, PIECES);
      rest -= leastOf(some);
      for (const each of await this.#encodings(some, split)) tokens += each.getLength();
    }
    this.#collector.left(tokens);
    return tokens + rest > limit * CERTAIN ? tooManyTokens(1, limit) : undefined;
  }

  /** Without special tokens, on threads of the library. */
  async #encodings(texts: readonly string[], split: boolean): Promise<Encoding[]> {
    const tokenizer = split ? await this.#forSplitting() : this.#native;
    // A batch has costs of its own.
    if (texts.length === 1) return [await tokenizer.encode(texts[0]!, null, NO_SPECIAL)];
    return tokenizer.encodeBatch([...texts], NO_SPECIAL);
  }

  /** The texts of lists of tokens, without special ones. */
  async decode(lists: readonly (readonly number[])[]): Promise<string[]> {
    return this.#native.decodeBatch(
      lists.map((ids) => [...ids]),
      true,
    );
  }

  nameOf(id: number): string {
    return (id >= 0 && this.#native.idToToken(id)) || '';
  }

  idOf(name: string): number | undefined {
    return this.#native.tokenToId(name) ?? undefined;
  }

  /**
   * Frees the vocabulary, which is most of the memory. Deno never frees what a thread has left to the garbage collector.
   */
  async free(): Promise<void> {
    this.#native.setModel(BPE.empty());
    const splitting = await this.#splitting?.catch(() => undefined);
    splitting?.setModel(BPE.empty());
  }

  #forSplitting(): Promise<Tokenizer> {
    this.#splitting ??= createSplitting(this.#data);
    this.#splitting.catch(() => {
      this.#splitting = undefined;
    });
    return this.#splitting;
  }
}

/** What the tokenizer divides, if it leaves out nothing of that. */
async function divisionIn(native: Tokenizer, file: Json): Promise<Division> {
  const added = addedTokensIn(file).flatMap((token) =>
    isObject(token) ? [String(token.content)] : [],
  );
  const { words, ideographs, marks } = divisionOf(file.normalizer, file.pre_tokenizer, added);
  const keeps = async (parts: readonly string[]) => {
    const encoding = await native.encode(parts.join(' '), null, NO_SPECIAL).catch(() => undefined);
    return encoding !== undefined && encoding.getLength() >= parts.length;
  };
  return {
    words: words && (await keeps(WORDS)),
    ideographs: ideographs && (await keeps(IDEOGRAPHS)),
    marks: (await keeps([...marks])) ? marks : '',
  };
}

const addedTokensIn = ({ added_tokens }: Json): readonly unknown[] =>
  Array.isArray(added_tokens) ? added_tokens : [];

/** The tokens `<0x00>` to `<0xFF>`, if the decoder joins them to text. */
function byteIds(native: Tokenizer, decoder: unknown): readonly number[] {
  if (!JSON.stringify(decoder ?? null).includes('"ByteFallback"')) return [];
  return Array.from({ length: 256 }, (_, byte) => {
    const digits = byte.toString(16).toUpperCase().padStart(2, '0');
    return native.tokenToId(`<0x${digits}>`);
  }).filter((id) => id !== null);
}

/** @throws {ServeError} `INVALID_CONFIG` if the file is not the one that was to be loaded. */
async function readText({ path, digest }: TokenizerThreadData): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new ServeError('INVALID_CONFIG', 'tokenizer.json cannot be read.', { cause });
  }
  if (createHash('sha256').update(bytes).digest('hex') !== digest) {
    throw new ServeError('INVALID_CONFIG', 'tokenizer.json was changed while it was being loaded.');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ServeError('INVALID_CONFIG', 'tokenizer.json is not UTF-8.', { cause });
  }
}

/** The content of the file, whose members the library checks. */
function parse(text: string): Json {
  try {
    const json: unknown = JSON.parse(text);
    if (isObject(json)) return json;
  } catch (cause) {
    throw new ServeError('INVALID_CONFIG', 'tokenizer.json is not JSON.', { cause });
  }
  throw new ServeError('INVALID_CONFIG', 'tokenizer.json is no tokenizer: it is not an object.');
}

function member(json: Json, name: string): Json | undefined {
  const value = json[name];
  return isObject(value) ? value : undefined;
}

function create(text: string): Tokenizer {
  try {
    const tokenizer = Tokenizer.fromString(text);
    // Windows are made here, and rows are padded where runs are made.
    tokenizer.disableTruncation();
    tokenizer.disablePadding();
    return tokenizer;
  } catch (cause) {
    const reason = cause instanceof Error ? redact(cause.message) : 'it is damaged';
    throw new ServeError('INVALID_CONFIG', `tokenizer.json is no tokenizer: ${reason}`, { cause });
  }
}

/** A tokenizer that does not know its special tokens, so that their names are ordinary text. */
async function createSplitting(data: TokenizerThreadData): Promise<Tokenizer> {
  const file = parse(await readText(data));
  const { vocab } = member(file, 'model') ?? {};
  const inVocabulary = (name: unknown) =>
    Array.isArray(vocab)
      ? vocab.some((entry) => Array.isArray(entry) && entry[0] === name)
      : isObject(vocab) && Object.hasOwn(vocab, String(name));
  const ordinary = addedTokensIn(file).flatMap((token, i) => {
    if (!isObject(token) || token.special !== true) return [token];
    // Without a token that only this list has, those after it would get other ids, so it gets a name that no text has.
    const content = `\uffff${randomUUID()}-${i}\uffff`;
    return inVocabulary(token.content) ? [] : [{ ...token, content }];
  });
  return create(JSON.stringify({ ...file, added_tokens: ordinary }));
}

const sideOf = (json: Json | undefined): 'left' | 'right' =>
  String(json?.direction).toLowerCase() === 'left' ? 'left' : 'right';

function unknownId(tokenizer: Tokenizer, model: Json | undefined): number | undefined {
  const { unk_id: id, unk_token: name } = model ?? {};
  if (typeof id === 'number') return id;
  return typeof name === 'string' ? (tokenizer.tokenToId(name) ?? undefined) : undefined;
}

/** Finds out where special tokens are: encodes texts with them, and looks what does not come from a text. */
async function probeSpecialTokens(tokenizer: Tokenizer): Promise<SpecialTokens> {
  const probe = await findProbe(tokenizer);
  const single = await tokenizer.encode(probe, null, WITH_SPECIAL);
  const pair = await tokenizer.encode(probe, probe, WITH_SPECIAL);
  return { single: partsOf(single), pair: partsOf(pair) };
}

async function findProbe(tokenizer: Tokenizer): Promise<string> {
  const vocabulary = Array.from({ length: PROBED_TOKENS }, (_, id) => tokenizer.idToToken(id));
  for (const probe of [...PROBES, ...vocabulary]) {
    if (!probe) continue;
    const encoding = await tokenizer.encode(probe, null, NO_SPECIAL).catch(() => undefined);
    if (encoding !== undefined && encoding.getLength() > 0) return probe;
  }
  throw new ServeError(
    'INVALID_CONFIG',
    'tokenizer.json is no tokenizer: not even texts of its vocabulary have tokens.',
  );
}

/**
 * More tokens than a text can have: no token has less than a byte, and normalisation (NFKD) makes at most 18 bytes of a code
 * unit, but for a block of words in Arabic, of whose letters the longest makes 33.
 */
function mostTokens(text: string): number {
  let most = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) most += 1;
    else most += unit >= 0xfdf0 && unit <= 0xfdff ? 33 : 18;
  }
  return most;
}

/** The text in pieces, none of which ends within a character. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let from = 0; from < text.length; ) {
    const isWithin = /[\uD800-\uDBFF]/.test(text.charAt(from + PIECE - 1));
    const to = from + PIECE + (isWithin ? 1 : 0);
    pieces.push(text.slice(from, to));
    from = to;
  }
  return pieces;
}

function partsOf(encoding: Encoding): Part[] {
  const ids = encoding.getIds();
  const typeIds = encoding.getTypeIds();
  const special = encoding.getSpecialTokensMask();
  const sequences = encoding.getSequenceIds();
  const parts: Part[] = [];
  let last: unknown;
  for (const [i, id] of ids.entries()) {
    const typeId = typeIds[i]!;
    // A processor that adds no tokens may not say which text a token is of.
    const sequence = special[i] === 1 ? undefined : (sequences[i] ?? 0);
    if (sequence === undefined) parts.push({ id, typeId });
    else if (sequence !== last) {
      parts.push({ text: sequence === 0 ? 'first' : 'second', typeId });
    }
    last = sequence;
  }
  return parts;
}
