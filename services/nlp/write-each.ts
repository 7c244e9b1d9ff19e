/** @module Writes the response to a request about texts, which may be long, in short turns. */

import { ShortTurns, type TextUsage } from '../../runtime/index.ts';
import type { About } from './text-route.ts';

/** Milliseconds for which a response occupies the thread at a time. */
const TURN_MS = 2;
/** Elements of a list that are written without a look at the time. */
const STEP = 512;

/** What is written instead of an element of a list. */
type ToWritten = (element: never) => unknown;

/**
 * A response of one object for one text, and of a list for several.
 *
 * @param results Objects with one member at least. A map among the members is an object in the order of the map.
 * @param toWritten Applied to the elements of lists in a result. Default: they are written as they are.
 */
export async function writeEach<Result extends object>(
  results: readonly Result[],
  isList: boolean,
  usage: TextUsage,
  about: About,
  toWritten: ToWritten = (element) => element,
): Promise<string> {
  const turns = new ShortTurns(TURN_MS);
  const pieces = [isList ? '{"results":[' : ''];
  for (const [i, result] of results.entries()) {
    if (i > 0) pieces.push(',');
    await writeObject(pieces, result, turns, toWritten);
  }
  // The rest are further members of the object of a text.
  if (!isList) pieces.pop();
  pieces.push(isList ? '],' : ',', JSON.stringify({ ...about, usage }).slice(1));
  const text = pieces.join('');
  await turns.pause();
  return text;
}

async function writeObject(
  pieces: string[],
  object: object,
  turns: ShortTurns,
  toWritten: ToWritten,
): Promise<void> {
  let before = '{';
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue;
    pieces.push(`${before}${JSON.stringify(name)}:`);
    if (Array.isArray(value)) await writeList(pieces, value, turns, toWritten);
    else pieces.push(value instanceof Map ? writeMap(value) : JSON.stringify(value));
    before = ',';
    await turns.pause();
  }
  pieces.push('}');
}

async function writeList(
  pieces: string[],
  list: readonly unknown[],
  turns: ShortTurns,
  toWritten: ToWritten,
): Promise<void> {
  pieces.push('[');
  for (let from = 0; from < list.length; from += STEP) {
    if (from > 0) pieces.push(',');
    const some = list.slice(from, from + STEP) as never[];
    pieces.push(JSON.stringify(some.map(toWritten)).slice(1, -1));
    await turns.pause();
  }
  pieces.push(']');
}

/** An object of JavaScript has keys that are whole numbers before all others. */
const writeMap = (map: ReadonlyMap<string, unknown>): string =>
  `{${Array.from(map, ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
