/** @module Names and values that callers gave, as messages repeat them. */

const MOST_CHARACTERS = 100;

/** Control characters, and halves of characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

/**
 * `text` in single quotes, cut after 100 characters, on one line: a message is short and can be sent
 * anywhere, whatever it quotes.
 */
export function quote(text: string): string {
  // Twice as many units hold all the characters that are kept, and save the rest from being looked at.
  const characters = Array.from(text.slice(0, 2 * MOST_CHARACTERS + 2));
  const kept = characters.slice(0, MOST_CHARACTERS).join('').replace(UNPRINTABLE, '\uFFFD');
  return characters.length > MOST_CHARACTERS ? `'${kept}…'` : `'${kept}'`;
}
