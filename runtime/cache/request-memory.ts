/** @module What the texts of recent requests mean, so that a request that comes again need not be read again. */

import { LRUCache } from 'lru-cache';

/** Longer texts are not remembered: they are compared with each other, and reading them is a small part of their cost. */
const MAX_CHARACTERS = 4096;
/** About what a text, its values, its tensors and the parts of its response take in memory. */
const ENTRY_BYTES = 4096;
const CHARACTER_BYTES = 16;

interface Remembered<Meaning> {
  readonly meaning: Meaning;
  readonly state: unknown;
}

/**
 * Remembers the meaning of texts. Reading a text is a pure function of it and of `state`, so that it does not matter
 * whether a meaning is remembered. The texts themselves are compared, not hashes of them.
 */
export class RequestMemory<Meaning extends object> {
  readonly #isOn: () => boolean;
  readonly #texts: LRUCache<string, Remembered<Meaning>> | undefined;

  /**
   * @param maxBytes About how much memory is used at most; 0 means none.
   * @param isOn Whether anything is remembered, asked for each text.
   */
  constructor(maxBytes: number, isOn: () => boolean) {
    this.#isOn = isOn;
    if (maxBytes > 0) this.#texts = new LRUCache({ maxSize: maxBytes });
  }

  /** Whether any text is remembered now. */
  get isOn(): boolean {
    return this.#texts !== undefined && this.#isOn();
  }

  /**
   * The meaning of a text.
   *
   * @param state What the meaning depends on besides the text: when it is another object, texts are read again.
   * @param read Gets whether the meaning will be remembered. What it throws is not remembered.
   */
  meaning(
    text: string,
    state: unknown,
    read: (text: string, isRemembered: boolean) => Meaning,
  ): Meaning {
    const texts = this.#texts;
    if (texts === undefined || text.length > MAX_CHARACTERS || !this.#isOn()) {
      return read(text, false);
    }
    const known = texts.get(text);
    if (known !== undefined && known.state === state) return known.meaning;
    const meaning = read(text, true);
    const size = ENTRY_BYTES + CHARACTER_BYTES * text.length;
    texts.set(text, { meaning, state }, { size });
    return meaning;
  }
}
