/** @module Finds texts in bytes. The host finds one byte fast, but not on every host several. */

import type { ShortTurns } from '../../../runtime/index.ts';

/** So many bytes are looked through before the time of the turn is looked at. Some hosts take a millisecond for each 3 MB. */
const BYTES_PER_TURN = 512 * 1024;
/** So many bytes are looked at one by one first, because a view of the rest costs as much, and is garbage. */
const NEAR_BYTES = 64;
/** How long one request looks through its bytes in a turn, milliseconds: others may do so in the same turn. */
export const LOOK_MS = 2;

/** The place of the ASCII text at or after `from`, or -1. */
export function indexOfText(bytes: Uint8Array, text: string, from: number): number {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (hasText(bytes, text, at)) return at;
  }
  return -1;
}

/**
 * The place of the byte at or after `from`, or -1. Leaves the thread to others while it looks through megabytes, and returns no
 * promise if the byte is near, because there may be millions of them.
 */
export function indexOfByte(
  bytes: Uint8Array,
  byte: number,
  from: number,
  turns: ShortTurns,
): number | Promise<number> {
  const near = Math.min(from + NEAR_BYTES, bytes.length);
  for (let at = from; at < near; at += 1) {
    if (bytes[at] === byte) return at;
  }
  const found = bytes.subarray(from, from + BYTES_PER_TURN).indexOf(byte);
  if (found >= 0) return from + found;
  const next = from + BYTES_PER_TURN;
  return next >= bytes.length
    ? -1
    : turns.pause().then(() => indexOfByte(bytes, byte, next, turns));
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
