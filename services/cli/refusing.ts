/** @module Commands that ask the runtime of this process instead of a server. */

import { ServeError } from '../../runtime/index.ts';
import { Refused } from './server.ts';

/** Converts what the runtime refuses, as the refusal of a server would be. A wrong setting stays what it is. @throws {Refused} */
export async function refusing<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ServeError) || error.code === 'INVALID_CONFIG') throw error;
    throw new Refused(error.message, { error: error.message, code: error.code });
  }
}
