/**
 * Says where and why a text is not JSON, because not every host tells the place, and each says it in other words. Also finds
 * members that an object has twice, of which hosts take the last.
 *
 * @module
 */

import { quote } from '../../runtime/index.ts';

/** The search ends after this many values, names, signs and escapes, so that it does not block the thread. */
const MAX_PARTS = 50_000;
/** Beyond this place lines are not counted. */
const MAX_PLACE = 1024 * 1024;
/** Most characters of the text that a message repeats. */
const MAX_SHOWN = 20;

const BLANK = /[ \t\n\r]*/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: strings of JSON have none
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;
const WORD = /[\w.+-]+|\\.|./suy;

const NAMES: Readonly<Record<string, string>> = {
  '\n': 'a line break',
  '\r': 'a carriage return',
  '\t': 'a tab',
  "'": 'a single quote',
};

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** What may come next. */
type State = 'value' | 'first value' | 'name' | 'first name' | 'colon' | 'next';

/**
 * The first fault of a text as a clause, such as `line 1, column 10 has 'NaN', but a value is expected`; undefined if there is
 * none, or it is too far from the start.
 */
export function jsonFault(text: string): string | undefined {
  const found = new Search(text).run();
  return found === undefined || found.at > MAX_PLACE ? undefined : clauseOf(text, found);
}

/** The first member that an object of the JSON has twice; undefined if there is none, or it is too far from the start. */
export function repeatedMember(json: string): string | undefined {
  const search = new Search(json);
  search.run();
  return search.repeated;
}

interface Fault {
  readonly at: number;
  readonly expected: string;
}

class Search {
  /** The first name that an object has twice. */
  repeated: string | undefined;
  readonly #text: string;
  #at = 0;
  #left = MAX_PARTS;
  #state: State = 'value';
  /** The sign that ends each list or object which is open. */
  readonly #ends: ('}' | ']')[] = [];
  /** The names so far of each object which is open. */
  readonly #names: Set<string>[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  run(): Fault | undefined {
    while (this.#left > 0) {
      this.#left -= 1;
      this.#take(BLANK);
      const isWhole = this.#state === 'next' && this.#ends.length === 0;
      if (isWhole && this.#at === this.#text.length) return undefined;
      const expected = this.#step();
      if (expected !== undefined) return { at: this.#at, expected };
    }
    return undefined;
  }

  /** Takes the next part. @returns what is expected if that is not there */
  #step(): string | undefined {
    const sign = this.#text[this.#at];
    switch (this.#state) {
      case 'value':
      case 'first value':
        return this.#value(sign);
      case 'name':
      case 'first name':
        if (sign === '"') return this.#name();
        if (sign === '}' && this.#state === 'first name') return this.#close();
        return 'a name in double quotes';
      case 'colon':
        return sign === ':' ? this.#enter('value') : "':'";
      case 'next': {
        const end = this.#ends.at(-1);
        if (end === undefined) return 'the end';
        if (sign === ',') return this.#enter(end === '}' ? 'name' : 'value');
        return sign === end ? this.#close() : `',' or '${end}'`;
      }
    }
  }

  #value(sign: string | undefined): string | undefined {
    if (sign === '"') return this.#string('next');
    if (sign === '{') {
      this.#names.push(new Set());
      return this.#enter('first name', '}');
    }
    if (sign === '[') return this.#enter('first value', ']');
    if (sign === ']' && this.#state === 'first value') return this.#close();
    if (!this.#take(SCALAR)) return 'a value';
    this.#state = 'next';
    return undefined;
  }

  #enter(state: State, end?: '}' | ']'): undefined {
    this.#at += 1;
    this.#state = state;
    if (end !== undefined) this.#ends.push(end);
  }

  #close(): undefined {
    if (this.#ends.pop() === '}') this.#names.pop();
    this.#enter('next');
  }

  #name(): string | undefined {
    const start = this.#at;
    const expected = this.#string('colon');
    if (expected !== undefined || this.#left < 0) return expected;
    const name = JSON.parse(this.#text.slice(start, this.#at)) as string;
    const names = this.#names.at(-1)!;
    if (names.has(name)) this.repeated ??= name;
    names.add(name);
    return undefined;
  }

  #string(after: State): string | undefined {
    const text = this.#text;
    this.#at += 1;
    for (;;) {
      this.#take(PLAIN);
      const sign = text[this.#at];
      if (sign === '"') return this.#enter(after);
      if (sign === undefined) return `'"'`;
      if (sign !== '\\') return `its escape ${ESCAPES[sign] ?? 'in four digits, \\u…,'}`;
      if (!this.#take(ESCAPE)) return 'an escape such as \\n or \\\\';
      this.#left -= 1;
      // What comes after so many escapes is not looked at.
      if (this.#left < 0) return this.#enter(after);
    }
  }

  /** Takes what the pattern matches here. @returns whether it matches */
  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }
}

function clauseOf(text: string, { at, expected }: Fault): string {
  const before = text.slice(0, at);
  const line = before.split('\n').length;
  const place = `line ${line}, column ${at - before.lastIndexOf('\n')}`;
  const expectation = `but ${expected} is expected`;
  if (at === text.length) return `it ends at ${place}, ${expectation}`;
  WORD.lastIndex = at;
  const [word = ''] = WORD.exec(text.slice(0, at + 2 * MAX_SHOWN)) ?? [];
  const shown = word.length > MAX_SHOWN ? `${word.slice(0, MAX_SHOWN)}…` : word;
  return `${place} has ${NAMES[word] ?? quote(shown)}, ${expectation}`;
}
