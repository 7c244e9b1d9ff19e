/** @module The text of a generation while it is made, which ends at a stop string. */

import type { OnTokens } from '../../model.ts';
import { partialEnd } from '../../text/partial-end.ts';
import type { TextTokenizer } from '../../text/tokenizer/index.ts';

/** Converts the tokens of one generation to text, piece by piece, and ends it at the first stop string. */
export class TextDeltas {
  readonly #stream: ReturnType<TextTokenizer['stream']>;
  readonly #stops: readonly string[];
  readonly #send: ((delta: string) => void) | undefined;
  /** The text so far, of which `#sent` characters have been passed on. */
  #text = '';
  #sent = 0;
  #stopped = false;
  /** Resolves when the tokens so far are text. */
  #work: Promise<void> = Promise.resolve();

  /** @param send Receives the text as it is made; undefined if only stop strings are looked for. */
  constructor(
    tokenizer: TextTokenizer,
    stops: readonly string[],
    send: ((delta: string) => void) | undefined,
  ) {
    this.#stream = tokenizer.stream();
    this.#stops = stops;
    this.#send = send;
  }

  readonly onTokens: OnTokens = (tokens, stop) => {
    this.#work = this.#work.then(() => this.#push(tokens, stop));
    // Whoever waits for `finish` gets the error.
    this.#work.catch(() => stop());
  };

  /**
   * Passes on what is left of the whole text. @param text The text of all tokens, up to the stop string.
   *
   * @throws the error with which the tokens could not be converted
   */
  async finish(text: string): Promise<void> {
    await this.#work;
    const sent = this.#text.slice(0, this.#sent);
    if (text.startsWith(sent) && text.length > sent.length) this.#send?.(text.slice(sent.length));
  }

  async #push(tokens: Int32Array, stop: () => void): Promise<void> {
    if (this.#stopped) return;
    this.#text += await this.#stream.push(tokens);
    const end = stopIndex(this.#text, this.#stops, this.#sent);
    if (end !== undefined) {
      this.#stopped = true;
      stop();
    }
    // What may be the beginning of a stop string is held back.
    const safe = end ?? this.#text.length - partialEnd(this.#text, this.#stops);
    if (safe <= this.#sent) return;
    this.#send?.(this.#text.slice(this.#sent, safe));
    this.#sent = safe;
  }
}

/** The text up to the first stop string, and whether there is one. */
export function untilStop(
  text: string,
  stops: readonly string[],
): { readonly text: string; readonly stopped: boolean } {
  const end = stopIndex(text, stops, 0);
  return end === undefined ? { text, stopped: false } : { text: text.slice(0, end), stopped: true };
}

/**
 * Where the stop string begins that is complete first, not before `from`; undefined if there is none. Another one may begin
 * earlier and be complete later, when the generation has ended already.
 */
function stopIndex(text: string, stops: readonly string[], from: number): number | undefined {
  let first: { readonly index: number; readonly end: number } | undefined;
  for (const stop of stops) {
    const index = text.indexOf(stop, from);
    if (index === -1) continue;
    const end = index + stop.length;
    const isFirst =
      first === undefined || end < first.end || (end === first.end && index < first.index);
    if (isFirst) first = { index, end };
  }
  return first?.index;
}
