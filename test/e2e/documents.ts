/** @module The commands that a document shows, and what they print. */

import assert from 'node:assert/strict';

/** The code blocks of a document in one language. */
export const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, block]) => block!,
  );

/** The commands of a block. A command continues on the next line within quotes or after a backslash. */
export function commandsOf(block: string): string[] {
  const found: string[] = [];
  let command = '';
  for (const line of block.trimEnd().split('\n')) {
    command += `${line}\n`;
    const quotes = command.split("'").length - 1;
    if (quotes % 2 === 1 || line.endsWith('\\')) continue;
    found.push(command.trimEnd());
    command = '';
  }
  return found;
}

/** A command, and the JSON that the document shows right after it; undefined if it shows none. */
export interface Step {
  readonly command: string;
  readonly shown: string | undefined;
}

/** The commands of all shell blocks. The JSON after a block belongs to its first command. */
export function stepsOf(text: string): Step[] {
  const pattern = /^```sh\n([\s\S]*?)^```\n(?:\n```json\n([\s\S]*?)^```$)?/gm;
  return [...text.matchAll(pattern)].flatMap(([, block, shown]) =>
    commandsOf(block!).map((command, i) => ({ command, shown: i === 0 ? shown : undefined })),
  );
}

/** How far a number of a model of texts or images may be from the one that is shown: processors differ in the last digits of int8 models. */
export const MODEL_TOLERANCE = 0.01;

/** Members that differ each time. */
const CHANGING = ['inference_time_ms', 'request_id'];

/**
 * Checks that a value of JSON is the one that is shown, with the same members in the same order.
 *
 * @param tolerance How far a number may be from the one that is shown.
 */
export function assertShown(returned: unknown, shown: unknown, tolerance = 0, path = ''): void {
  if (typeof shown === 'number') {
    assert.equal(typeof returned, 'number', path);
    assert.ok(Math.abs((returned as number) - shown) <= tolerance, `${path}: ${returned}`);
  } else if (typeof shown === 'object' && shown !== null) {
    assert.deepEqual(Object.keys(returned as object), Object.keys(shown), path);
    for (const [key, value] of Object.entries(shown)) {
      if (CHANGING.includes(key)) continue;
      assertShown((returned as Record<string, unknown>)[key], value, tolerance, `${path}.${key}`);
    }
  } else {
    assert.equal(returned, shown, path);
  }
}
