/** @module Places in a text: those of tokens are counted in code points, and clients count in other units, too. */

/** `utf16`: as in JavaScript and Java. `codepoint`: as in Python. `utf8`: bytes, as in Go and Rust. */
export type OffsetUnit = 'utf16' | 'codepoint' | 'utf8';

/** Code points between two places that are kept. */
const STEP = 256;

/** Converts places in one text, the earlier ones faster. What is before a place is counted once. */
export class TextOffsets {
  readonly #text: string;
  /** UTF-16 places of every `STEP`th code point, as far as they are known. */
  readonly #utf16: number[] = [0];
  /** The same in UTF-8. */
  readonly #utf8: number[] = [0];

  constructor(text: string) {
    this.#text = text;
  }

  /** The place after so many code points, in another unit; the end of the text if it has fewer. */
  at(codePoints: number, unit: OffsetUnit): number {
    if (unit === 'codepoint') return codePoints;
    const known = this.#utf16.length - 1;
    for (let step = known; step < Math.floor(codePoints / STEP); step += 1) this.#walk(step, STEP);
    const step = Math.floor(codePoints / STEP);
    const { utf16, utf8 } = this.#count(step, codePoints - step * STEP);
    return unit === 'utf16' ? utf16 : utf8;
  }

  /** Keeps the place that comes after a known one. */
  #walk(step: number, codePoints: number): void {
    const { utf16, utf8 } = this.#count(step, codePoints);
    this.#utf16.push(utf16);
    this.#utf8.push(utf8);
  }

  #count(step: number, codePoints: number): { readonly utf16: number; readonly utf8: number } {
    const text = this.#text;
    let utf16 = this.#utf16[step]!;
    let utf8 = this.#utf8[step]!;
    for (let left = codePoints; left > 0 && utf16 < text.length; left -= 1) {
      const unit = text.charCodeAt(utf16);
      if (unit < 0x80) utf8 += 1;
      else if (unit < 0x800) utf8 += 2;
      else if (unit >= 0xd800 && unit < 0xdc00) {
        // The first half of a pair. There are no lone halves.
        utf16 += 1;
        utf8 += 4;
      } else utf8 += 3;
      utf16 += 1;
    }
    return { utf16, utf8 };
  }
}
