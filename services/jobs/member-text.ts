/** @module Finds the text of a member in valid JSON, so that it can be passed on exactly as it was written. */

/**
 * The text of a member of the outermost object, without white space around it; of several with this name the last one, as
 * in `JSON.parse`. Undefined if there is none.
 *
 * @param json Valid JSON.
 */
export function memberText(json: string, name: string): string | undefined {
  let found: string | undefined;
  let depth = 0;
  let key: string | undefined;
  /** Where the value of a member of the outermost object starts; -1 outside of values. */
  let start = -1;
  for (let i = 0; i < json.length; i += 1) {
    const character = json[i]!;
    if (character === '"') {
      const end = endOfString(json, i);
      if (depth === 1 && start === -1) key = JSON.parse(json.slice(i, end)) as string;
      i = end - 1;
    } else if (character === '{' || character === '[') {
      depth += 1;
    } else if (character === ':' && depth === 1) {
      start = i + 1;
    } else if (character === ',' && depth === 1) {
      if (key === name) found = json.slice(start, i);
      start = -1;
    } else if (character === '}' || character === ']') {
      depth -= 1;
      if (depth === 0 && key === name) found = json.slice(start, i);
    }
  }
  return found?.trim();
}

/** The index after the quote that ends the string at `start`. */
function endOfString(json: string, start: number): number {
  let i = start + 1;
  while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
  return i + 1;
}
