/** @module Finds texts in bytes. The host finds one byte fast, but not on every host several. */

/** The place of the ASCII text at or after `from`, or -1. */
export function indexOfText(bytes: Uint8Array, text: string, from: number): number {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (hasText(bytes, text, at)) return at;
  }
  return -1;
}

/** Whether the bytes have the ASCII text there. */
export function hasText(bytes: Uint8Array, text: string, at: number): boolean {
  if (at + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i += 1) {
    if (bytes[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** A short piece of bytes as characters of the same numbers. */
export const asciiText = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
