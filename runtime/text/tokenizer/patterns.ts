/** @module The regular expressions of a tokenizer: those that may take too long are refused, or the texts that make them. */

import { ServeError } from '../../errors.ts';
import { regexCost } from './regex-cost.ts';
import { tester } from './regex-positions.ts';

/** The most characters in a row through which an expression looks at each of them. They take about 10 ms. */
const LONGEST_RUN = 1024;

export class Patterns {
  readonly #classes: readonly (RegExp | undefined)[];
  /** Whether a character is in one of the classes. */
  readonly #known = new Map<string, boolean>();

  private constructor(classes: readonly string[]) {
    this.#classes = classes.map(tester);
  }

  /**
   * @param parts The parts of `tokenizer.json` that have patterns.
   * @throws {ServeError} `INVALID_CONFIG` for a pattern that may take exponential time.
   */
  static of(parts: readonly unknown[]): Patterns {
    const costs = parts.flatMap(expressionsIn).map((source) => ({ source, ...regexCost(source) }));
    const bad = costs.find(({ isExponential }) => isExponential);
    if (bad === undefined) return new Patterns(costs.flatMap(({ looksThrough }) => looksThrough));
    const source = JSON.stringify(bad.source.slice(0, 200));
    throw new ServeError(
      'INVALID_CONFIG',
      `tokenizer.json has the pattern ${source}, which takes exponential time for some texts; write it without a repetition within a repetition.`,
    );
  }

  /** The reason why a text would take too long; undefined if it does not. */
  refusal(text: string): ServeError | undefined {
    if (this.#classes.length === 0) return undefined;
    let run = 0;
    for (const character of text) {
      run = this.#isLookedThrough(character) ? run + 1 : 0;
      if (run > LONGEST_RUN) return tooLong();
    }
    return undefined;
  }

  #isLookedThrough(character: string): boolean {
    const known = this.#known.get(character);
    if (known !== undefined) return known;
    // A class that is not understood may have any character.
    const found = this.#classes.some((each) => each === undefined || each.test(character));
    this.#known.set(character, found);
    return found;
  }
}

const tooLong = (): ServeError =>
  new ServeError(
    'INVALID_ARGUMENT',
    `The text has more than ${LONGEST_RUN} characters of one kind in a row, such as digits, for which the tokenizer of the model would take too long; divide them by spaces.`,
  );

/** The sources of all regular expressions within a value of JSON. */
function expressionsIn(json: unknown): readonly string[] {
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([key, value]) =>
    key === 'Regex' && typeof value === 'string' ? [value] : expressionsIn(value),
  );
}
