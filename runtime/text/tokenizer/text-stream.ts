/** @module Text from tokens that arrive one after another: only the last tokens are decoded anew. */

import { unsettledSpaces } from './clean-up-spaces.ts';
import type { TokenTextStream } from './tokenizer.ts';

/** What stands for a part of a character. Some decoders write all bytes before an incomplete character like this, too. */
const REPLACEMENTS = /\ufffd+$/;

export class DecodedStream implements TokenTextStream {
  readonly #decode: (lists: readonly (readonly number[])[]) => Promise<readonly string[]>;
  readonly #cleansUp: boolean;
  readonly #bytes: ReadonlySet<number>;
  /** Tokens whose text was returned, and which are only there because decoders treat the first token of a text differently. */
  #context: readonly number[] = [];
  /** The tokens after them. */
  #tokens: number[] = [];
  /** The text of these tokens that was returned. */
  #returned = '';
  #work: Promise<unknown> = Promise.resolve();

  /**
   * @param cleansUp Whether following text may remove spaces.
   * @param bytes Ids of tokens that are bytes; default: none. A run of them is text only as a whole, so that the next one may change all of it.
   */
  constructor(
    decode: (lists: readonly (readonly number[])[]) => Promise<readonly string[]>,
    cleansUp: boolean,
    bytes: ReadonlySet<number> = new Set(),
  ) {
    this.#decode = decode;
    this.#cleansUp = cleansUp;
    this.#bytes = bytes;
  }

  push(ids: ArrayLike<number>): Promise<string> {
    return this.#after(() => this.#push(Array.from(ids)));
  }

  end(): Promise<string> {
    return this.#after(async () => {
      const text = await this.#text();
      const rest = text.slice(this.#returned.length);
      this.#returned = text;
      return rest;
    });
  }

  #after(work: () => Promise<string>): Promise<string> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => {});
    return result;
  }

  async #push(ids: readonly number[]): Promise<string> {
    this.#tokens.push(...ids);
    if (this.#bytes.has(this.#tokens.at(-1)!)) return '';
    const text = await this.#text();
    const settled = text.slice(0, text.length - this.#unsettled(text));
    const delta = settled.slice(this.#returned.length);
    if (delta === '') return '';
    if (settled.length < text.length) this.#returned += delta;
    else {
      this.#context = this.#tokens;
      this.#tokens = [];
      this.#returned = '';
    }
    return delta;
  }

  /** The text of the tokens after the context. */
  async #text(): Promise<string> {
    if (this.#tokens.length === 0) return '';
    const all = [...this.#context, ...this.#tokens];
    const [before, text] = await this.#decode([this.#context, all]);
    return text!.slice(before!.length);
  }

  /** How many characters at the end a following token may change. */
  #unsettled(text: string): number {
    const incomplete = REPLACEMENTS.exec(text)?.[0].length ?? 0;
    return incomplete === 0 && this.#cleansUp ? unsettledSpaces(text) : incomplete;
  }
}
