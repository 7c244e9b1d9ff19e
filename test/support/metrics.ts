/** @module Reads metrics pages. */

/** The sum of the samples of a metrics page with this name and at least these labels; 0 if there are none. */
export function sumOf(
  page: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const expected = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return page
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => expected.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
