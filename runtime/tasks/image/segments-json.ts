/** @module Writes segments, whose masks may be long, as JSON in short turns. */

import type { ShortTurns } from '../../short-turns.ts';
import type { MaskContent } from './mask-content.ts';
import type { ImageSegment } from './segment.ts';

/** Numbers that are written without a look at the time. */
const STEP = 4096;

/** The JSON of the list of segments. */
export async function segmentsJson(
  segments: readonly ImageSegment[],
  turns: ShortTurns,
): Promise<string> {
  const pieces: string[] = [];
  for (const { mask, ...rest } of segments) {
    const before = pieces.length === 0 ? '[' : ',';
    pieces.push(before, JSON.stringify(rest).slice(0, -1), ',"mask":');
    await writeMask(pieces, mask, turns);
    pieces.push('}');
  }
  pieces.push(pieces.length === 0 ? '[]' : ']');
  return pieces.join('');
}

async function writeMask(pieces: string[], mask: MaskContent, turns: ShortTurns): Promise<void> {
  if (typeof mask === 'string') {
    // Base64 has no characters to escape.
    pieces.push('"', mask, '"');
    await turns.pause();
  } else if ('counts' in mask) {
    pieces.push(`{"size":[${mask.size}],"counts":[`);
    await writeNumbers(pieces, mask.counts, turns);
    pieces.push(']}');
  } else {
    let before = '[';
    for (const polygon of mask) {
      pieces.push(before, '[');
      await writeNumbers(pieces, polygon, turns);
      pieces.push(']');
      before = ',';
    }
    pieces.push(mask.length === 0 ? '[]' : ']');
  }
}

async function writeNumbers(
  pieces: string[],
  numbers: readonly number[] | Uint32Array,
  turns: ShortTurns,
): Promise<void> {
  for (let from = 0; from < numbers.length; from += STEP) {
    if (from > 0) pieces.push(',');
    pieces.push(numbers.slice(from, from + STEP).join(','));
    await turns.pause();
  }
}
