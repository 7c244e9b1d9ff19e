/**
 * The layouts of memory that the addon and JavaScript share, as constants. Their meaning is described in the
 * C++ headers below. `test/rules` fails where a constant here differs from its header.
 *
 * @module
 */

// native/src/addon/mailbox_layout.h
export const REQUEST_TIMEOUT = 0;
export const REQUEST_PRIORITY = 1;
export const REQUEST_START = 2;
export const REQUEST_WORDS = 3;
export const START_LATER = 0;
export const START_WAKE = 1;
export const START_AT_ONCE = 2;
export const START_DONE = 3;
export const RETRY_AFTER = 0;
export const INPUT_FLAGS = 0;
export const INPUT_RANK = 1;
export const INPUT_WORDS = 2;
export const INPUT_LEFT_OUT = -1;
export const INPUT_BORROWED = 1;
export const INPUT_PIXELS = 2;
export const RECORD_SLOT = 0;
export const RECORD_CODE = 1;
export const RECORD_FLAGS = 2;
export const RECORD_ROWS = 3;
export const RECORD_REQUESTS = 4;
export const RECORD_QUEUE_MS = 5;
export const RECORD_COMPUTE_MS = 6;
export const RECORD_OUTPUTS = 7;
export const RECORD_LENGTH = 8;
export const RECORD_WORDS = 9;
export const FLAG_RETAINED = 1;
export const FLAG_OTHER_ROWS = 2;
export const OUTPUT_BYTES = 0;
export const OUTPUT_RANK = 1;
export const OUTPUT_WORDS = 2;
export const OUTPUT_FETCHED = -1;
export const GENERATION_SLOT = 0;
export const GENERATION_CODE = 1;
export const GENERATION_NEW_TOKENS = 2;
export const GENERATION_TOKENS = 3;
export const GENERATION_FINISH = 4;
export const GENERATION_SCORE = 5;
export const GENERATION_QUEUE_MS = 6;
export const GENERATION_PREFILL_MS = 7;
export const GENERATION_DECODE_MS = 8;
export const GENERATION_STEPS = 9;
export const GENERATION_ROWS = 10;
export const GENERATION_REQUESTS = 11;
export const GENERATION_WORDS = 12;
export const GENERATION_RUNNING = -1;
export const FINISH_STOP = 0;
export const FINISH_LENGTH = 1;

// native/src/codec/flat_layout.h
export const FLAT_LAYOUT_BYTES = 4096;
export const FLAT_INPUTS = 0;
export const FLAT_OUTPUTS = 1;
export const FLAT_ID_LENGTH = 2;
export const FLAT_WORDS = 3;
export const FLAT_NO_OUTPUTS = -1;
export const FLAT_INPUT_NAME_LENGTH = 0;
export const FLAT_INPUT_TYPE = 1;
export const FLAT_INPUT_RANK = 2;
export const FLAT_INPUT_OFFSET = 3;
export const FLAT_INPUT_ELEMENTS = 4;
export const FLAT_INPUT_WORDS = 5;
