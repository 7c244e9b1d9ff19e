/** @module What a request says about the cache. */

/** `no-store`: the request neither gets nor leaves cached results; `no-cache`: it gets new ones, and leaves them. */
export type Directive = 'no-cache' | 'no-store';

/** The directive in the header `Cache-Control` of a request; others have no effect. */
export function directiveOf(header: string | null): Directive | undefined {
  if (header === null) return undefined;
  const names = header.split(',').map((part) => part.trim().toLowerCase());
  if (names.includes('no-store')) return 'no-store';
  return names.includes('no-cache') ? 'no-cache' : undefined;
}
