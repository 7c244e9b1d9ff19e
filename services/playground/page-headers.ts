/** @module The headers of pages: what a browser may load for them. */

/**
 * A page runs only its own scripts, and talks only to the server that it comes from. `blob:` are the pictures that people choose,
 * which the playground shows; what the camera sees needs no source.
 */
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data: blob:"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join('; ');

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};
