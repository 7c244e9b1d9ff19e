/** @module Limits on a generation that do not depend on its model, the same for every route. */

/** The most new tokens of a request, so that none has the memory of all. */
export const MAX_NEW_TOKENS = 4096;
/** The most beams of a request, each of which takes the time and memory of a request. */
export const MAX_BEAMS = 16;
/** The most texts that end a generation, and the characters of each, all of which are looked for after every token. */
export const MAX_STOPS = 16;
export const MAX_STOP_CHARACTERS = 256;
