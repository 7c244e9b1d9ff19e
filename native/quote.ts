/** @module Names and values of callers in the form in which messages repeat them. */

const MAX_CHARACTERS = 100;

/** Control characters and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

/**
 * Returns `text` without control characters, and cut after `most` characters (100), so that a message stays
 * short and can be sent anywhere, whatever it repeats.
 */
export function shorten(text: string, most = MAX_CHARACTERS): string {
  // A character has at most two UTF-16 units, so the rest of a long text need not be looked at.
  const characters = Array.from(text.slice(0, 2 * most + 2));
  const kept = characters.slice(0, most).join('').replace(UNPRINTABLE, '\uFFFD');
  return characters.length > most ? `${kept}…` : kept;
}

/** Returns the same in single quotes. */
export const quote = (text: string): string => `'${shorten(text)}'`;
