/** @module Limits on a generation that do not depend on its model. */

/** The most new tokens of a request, whichever route it takes, so that none has the memory of all. */
export const MAX_NEW_TOKENS = 4096;
