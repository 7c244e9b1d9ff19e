/** @module Optional keys: the engine accepts a missing key, but not one that is undefined. */

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** The object without the keys that are undefined. */
export function omitUndefined<T extends object>(object: T): Given<T> {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Given<T>;
}
