/** @module Request ids: the client's where it is sane, else our own. */

const SANE = /^[A-Za-z0-9_-]{1,128}$/;
const DIGITS = 1296;

/** Makes ids such as `req_k3f9x2a10042`, unique in this thread and, by their random prefix, among threads. */
export function requestIds(): (given: string | null) => string {
  const prefix = `req_${crypto.randomUUID().replaceAll('-', '').slice(0, 10)}`;
  // An id is put together of two halves, of which only the second changes from one to the next.
  const low = Array.from({ length: DIGITS }, (_, i) => i.toString(36).padStart(2, '0'));
  let count = 0;
  let high = prefix;
  return (given) => {
    if (given !== null && SANE.test(given)) return given;
    const digits = count % DIGITS;
    if (digits === 0) high = prefix + Math.floor(count / DIGITS).toString(36);
    count += 1;
    return high + low[digits]!;
  };
}
