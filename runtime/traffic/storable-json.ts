/** @module JSON text that the database can store. */

/**
 * The JSON of a value that requests or models have chosen. PostgreSQL stores no NUL and no lone surrogates, which are
 * replaced, and `JSON.stringify` writes no integers of 64 bits, which become strings.
 */
export const storableJson = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return String(each);
    return typeof each === 'string' ? each.replace(/\0|\p{Cs}/gu, '\uFFFD') : each;
  });
