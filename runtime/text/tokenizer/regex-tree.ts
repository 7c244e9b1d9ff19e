/** @module Reads a regular expression of a tokenizer as far as it matters for how long it may take. */

/** A character, a class of characters, or a group, with how often it is repeated. */
export interface Item {
  /** The source of a single character or class; undefined for a group and for what has no width. */
  readonly atom: string | undefined;
  /** The alternatives of a group. */
  readonly group: readonly Sequence[];
  /** Whether the group only looks ahead or behind. */
  readonly looks: boolean;
  /** Whether it may be left out, and whether it may be repeated without a limit. */
  readonly isOptional: boolean;
  readonly isEndless: boolean;
  /** Whether it may be repeated more or less often, such as `{1,3}`, within a limit. */
  readonly isRanged: boolean;
  /** Whether it keeps what it has taken, so that nothing is tried twice. */
  readonly isPossessive: boolean;
}

export type Sequence = readonly Item[];

/** A limit of repetitions that is as good as none: so many take too long. */
const ENDLESS = 32;

/** Escapes that stand for no character. */
const WIDTHLESS = /^\\[bBAzZG]$/;
const ATOM = /\\[pP]\{[^}]*\}|\\x\{[^}]*\}|\\x[\da-fA-F]{2}|\\u[\da-fA-F]{4}|\\?./suy;
const QUANTIFIER = /([*+?]|\{\d*(?:,\d*)?\})([+?]?)/y;
const GROUP = /\((\?(?:>|:|=|!|<=|<!|<[^>]*>|[a-z-]*:|[a-z-]*(?=\))))?/iy;

/** The alternatives of an expression. Whatever is not understood is read as characters. */
export function parseRegex(source: string): readonly Sequence[] {
  return new Parser(source).alternatives();
}

class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  alternatives(): readonly Sequence[] {
    const alternatives: Item[][] = [[]];
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#source[this.#at] === '|') {
        this.#at += 1;
        alternatives.push([]);
      } else alternatives.at(-1)!.push(this.#item());
    }
    return alternatives;
  }

  #item(): Item {
    const { atom, group, looks, isAtomic } = this.#single();
    const [, quantifier = '', mode = ''] = this.#match(QUANTIFIER) ?? [];
    return {
      ...{ atom, group, looks },
      isOptional: looks || /^(?:[*?]|\{0?,|\{0\})/.test(quantifier) || isWidthless(atom, group),
      isEndless: /^(?:[*+]|\{\d*,\})/.test(quantifier) || mostOf(quantifier) >= ENDLESS,
      isRanged: isRange(quantifier),
      isPossessive: isAtomic || mode === '+',
    };
  }

  #single() {
    const none = { atom: undefined, group: [], looks: false, isAtomic: false };
    const opened = this.#match(GROUP);
    if (opened !== undefined) {
      const kind = opened[1] ?? '';
      const group = this.alternatives();
      this.#at += 1;
      return { ...none, group, looks: /^\?<?[=!]$/.test(kind), isAtomic: kind === '?>' };
    }
    if (this.#source[this.#at] === '[') return { ...none, atom: this.#characterClass() };
    const atom = this.#match(ATOM)![0];
    return WIDTHLESS.test(atom) || atom === '^' || atom === '$' ? none : { ...none, atom };
  }

  /** A class in brackets, which may hold others. */
  #characterClass(): string {
    const start = this.#at;
    let depth = 0;
    do {
      const at = this.#source[this.#at];
      if (at === '\\') this.#at += 1;
      else if (at === '[') depth += 1;
      else if (at === ']') depth -= 1;
      this.#at += 1;
    } while (depth > 0 && this.#at < this.#source.length);
    return this.#source.slice(start, this.#at);
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }
}

const isWidthless = (atom: string | undefined, group: readonly Sequence[]): boolean =>
  atom === undefined && group.length === 0;

/** The limit of `{1,3}` or `{3}`; 0 for other quantifiers. */
const mostOf = (quantifier: string): number => Number(/(\d+)\}/.exec(quantifier)?.[1] ?? 0);

function isRange(quantifier: string): boolean {
  const [, least, most] = /^\{(\d*),(\d+)\}/.exec(quantifier) ?? [];
  return most !== undefined && Number(most) > 1 && Number(least) !== Number(most);
}
