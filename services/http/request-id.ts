/** @module Request ids: the client's `X-Request-Id` if it is valid, otherwise a generated one. */

const VALID = /^[A-Za-z0-9_-]{1,128}$/;
const DIGITS = 1296;

/** Returns a function that generates ids such as `req_k3f9x2a10042`. A random prefix makes them unique among threads and processes. */
export function requestIds(): (given: string | null) => string {
  const prefix = `req_${crypto.randomUUID().replaceAll('-', '').slice(0, 10)}`;
  // Between consecutive ids usually only the last two digits change, so the rest is cached.
  const low = Array.from({ length: DIGITS }, (_, i) => i.toString(36).padStart(2, '0'));
  let count = 0;
  let high = prefix;
  return (given) => {
    if (given !== null && VALID.test(given)) return given;
    const digits = count % DIGITS;
    if (digits === 0) high = prefix + Math.floor(count / DIGITS).toString(36);
    count += 1;
    return high + low[digits]!;
  };
}
