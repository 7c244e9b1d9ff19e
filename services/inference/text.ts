/** @module The texts of BYTES inputs. */

import { ServeError } from '../../runtime/index.ts';

/** Changes nothing: neither a byte order mark nor what is no text. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws {ServeError} `INVALID_ARGUMENT` for bytes that are no text. */
export function decodeText(input: string, bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ServeError('INVALID_ARGUMENT', `Input '${input}' holds a text that is not UTF-8.`);
  }
}
