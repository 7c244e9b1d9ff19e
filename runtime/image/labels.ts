/** @module The names of classes. */

/** Most classes of a model. */
const MAX_CLASSES = 100_000;

/**
 * Names in the order of their numbers. Numbers without a name, which files of detectors leave out, are called by themselves.
 *
 * @param names Names by number, as `id2label` of `config.json` has them.
 * @returns Them; undefined if there are none; or what is wrong with the numbers, as a clause about the names.
 */
export function namesInOrder(
  names: Iterable<readonly [string, string]>,
): readonly string[] | string | undefined {
  const byNumber = new Map<number, string>();
  for (const [id, name] of names) {
    const number = /^\d+$/.test(id) ? Number(id) : Number.NaN;
    if (!(number < MAX_CLASSES)) {
      return `has the number '${id}', but numbers must be whole and less than ${MAX_CLASSES}`;
    }
    if (byNumber.has(number)) return `has the number ${number} twice`;
    byNumber.set(number, name);
  }
  if (byNumber.size === 0) return undefined;
  // Not by spreading, because that is an argument for each number.
  const last = Array.from(byNumber.keys()).reduce((a, b) => Math.max(a, b));
  return Array.from({ length: last + 1 }, (_, number) => byNumber.get(number) ?? String(number));
}

/** Whether a class is what belongs to no thing, such as `background` or `__background__`. */
export const isBackground = (name: string | undefined): boolean =>
  /^[\W_]*background[\W_]*$/i.test(name ?? '');

/** Names for classes of which no file has any: their numbers. */
export const numbersAsNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, number) => String(number));
