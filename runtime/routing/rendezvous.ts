/**
 * Weighted rendezvous hashing: gives every key to one of several arms, in proportion to their weights, without a table.
 * Raising the weight of one arm moves keys only to that arm, because the scores of the others stay as they are
 * (.github/decisions/0034).
 *
 * The score `-weight / ln(hash)` is the logarithmic method of Schindelhauer and Schomaker, "Weighted distributed hash
 * tables", SPAA 2005; see https://en.wikipedia.org/wiki/Rendezvous_hashing, "Weighted rendezvous hash".
 *
 * @module
 */

/** 64 bits, as two integers of 32 bits. */
export type Hash = readonly [number, number];

/** What an arm's score depends on besides the key. */
export interface Candidate {
  /** Above 0, in any unit. */
  readonly weight: number;
  /** The hash of what identifies the arm. It is the same in every process. */
  readonly seed: Hash;
}

/** Characters of a key beyond these have no effect, so that a long one does not take long. */
const MAX_KEY = 1024;

/** @returns Index of the key's arm; the same for equal arguments in every process. */
export function rendezvous(arms: readonly Candidate[], key: string): number {
  const hash = hash64(key.length > MAX_KEY ? key.slice(0, MAX_KEY) : key);
  let best = 0;
  let bestScore = -1;
  for (let i = 0; i < arms.length; i += 1) {
    const { weight, seed } = arms[i]!;
    const score = -weight / Math.log(uniform(hash, seed));
    if (score > bestScore) {
      best = i;
      bestScore = score;
    }
  }
  return best;
}

/** A number in (0, 1), with 52 random bits. */
function uniform([high, low]: Hash, seed: Hash): number {
  const top = finish(high ^ seed[0]) >>> 0;
  const rest = finish(low ^ seed[1]) >>> 12;
  return (top * 2 ** 20 + rest + 0.5) / 2 ** 52;
}

const SEED_HIGH = 0x9747b28c;
const SEED_LOW = 0x3c6ef372;

/**
 * MurmurHash3_x86_32 of the text in UTF-16LE, with two seeds in one pass: JavaScript has 64-bit integers only as bigints,
 * which take twenty times as long. By Austin Appleby,
 * https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
 */
export function hash64(text: string): Hash {
  let high = SEED_HIGH;
  let low = SEED_LOW;
  const { length } = text;
  const even = length & ~1;
  for (let i = 0; i < even; i += 2) {
    const block = scramble(text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16));
    high = mix(high, block);
    low = mix(low, block);
  }
  if (even < length) {
    const tail = scramble(text.charCodeAt(even));
    high ^= tail;
    low ^= tail;
  }
  return [finish(high ^ (2 * length)), finish(low ^ (2 * length))];
}

function scramble(block: number): number {
  const scaled = Math.imul(block, 0xcc9e2d51);
  return Math.imul((scaled << 15) | (scaled >>> 17), 0x1b873593);
}

function mix(hash: number, block: number): number {
  const mixed = hash ^ block;
  return Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64;
}

/** Makes every bit depend on all bits. */
function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
