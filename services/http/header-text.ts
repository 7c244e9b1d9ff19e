/** @module Names as values of headers. */

/** A name as a header can carry it: as it is, or percent-encoded if it has other characters than ASCII's visible ones. */
export const headerText = (name: string): string =>
  /^[\x21-\x7e]+$/.test(name) ? name : encodeURIComponent(name);
