/** @module Text from tokens that arrive one after another: only the last tokens are decoded anew. */

import { unsettledSpaces } from './clean-up-spaces.ts';
import type { TokenTextStream } from './tokenizer.ts';

/** What stands for a part of a character. */
const REPLACEMENT = '\ufffd';
/** Bytes of a character that may be missing its last one. Each may be a token, and a replacement character of its own. */
const INCOMPLETE = 3;
/** Tokens that are decoded again before new ones, because decoders treat the first token of a text differently. */
const CONTEXT = 8;

export class DecodedStream implements TokenTextStream {
  readonly #decode: (lists: readonly (readonly number[])[]) => Promise<readonly string[]>;
  readonly #cleansUp: boolean;
  /** The last tokens whose text was returned, and those after them. */
  #tokens: number[] = [];
  /** How many of them are only there for their effect on the following ones. */
  #context = 0;
  /** The text of the tokens after the context that was returned. */
  #returned = '';
  #work: Promise<unknown> = Promise.resolve();

  /** @param cleansUp Whether following text may remove spaces. */
  constructor(
    decode: (lists: readonly (readonly number[])[]) => Promise<readonly string[]>,
    cleansUp: boolean,
  ) {
    this.#decode = decode;
    this.#cleansUp = cleansUp;
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
    const text = await this.#text();
    const settled = text.slice(0, text.length - this.#unsettled(text));
    // Text that was returned may not change, even if a decoder would now write it differently.
    const delta = settled.slice(this.#returned.length);
    if (delta === '') return '';
    this.#returned += delta;
    if (settled.length === text.length) this.#forget();
    return delta;
  }

  /** The text of the tokens after the context. */
  async #text(): Promise<string> {
    if (this.#tokens.length === this.#context) return '';
    const before = this.#tokens.slice(0, this.#context);
    const [context, all] = await this.#decode([before, this.#tokens]);
    return all!.slice(context!.length);
  }

  /** Nothing of the text is held back, so the tokens become the context of those that follow. */
  #forget(): void {
    this.#tokens = this.#tokens.slice(-CONTEXT);
    this.#context = this.#tokens.length;
    this.#returned = '';
  }

  #unsettled(text: string): number {
    let held = 0;
    while (held < INCOMPLETE && text.at(-1 - held) === REPLACEMENT) held += 1;
    return held === 0 && this.#cleansUp ? unsettledSpaces(text) : held;
  }
}
