/** @module Names and values that callers gave, as messages repeat them. */

const MOST_CHARACTERS = 100;

/** Control characters, and halves of characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

/**
 * `text` on one line, cut after 100 characters or the number given: a message is short and can be sent
 * anywhere, whatever it repeats.
 */
export function shorten(text: string, most = MOST_CHARACTERS): string {
  // Twice as many units hold all the characters that are kept, and save the rest from being looked at.
  const characters = Array.from(text.slice(0, 2 * most + 2));
  const kept = characters.slice(0, most).join('').replace(UNPRINTABLE, '\uFFFD');
  return characters.length > most ? `${kept}…` : kept;
}

/** The same in single quotes. */
export const quote = (text: string): string => `'${shorten(text)}'`;
