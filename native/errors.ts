/** @module The error class of the engine, and its codes. */

/**
 * The codes, named as in gRPC, in the order of the enum `Code` in batching/status.h, which starts with
 * `kOk` before them. `test/rules` compares the two.
 */
const errorCodes = [
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'FAILED_PRECONDITION',
  'RESOURCE_EXHAUSTED',
  'UNIMPLEMENTED',
  'UNAVAILABLE',
  'INTERNAL',
] as const;

export type MillraceErrorCode = (typeof errorCodes)[number];

/** The error that every call of the engine throws or rejects with. `code` is for programs, `message` for people. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: MillraceErrorCode;
  /** With `UNAVAILABLE`, the milliseconds after which to try again, estimated from measured costs. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: MillraceErrorCode,
    message: string,
    options?: ErrorOptions & { retryAfterMs?: number },
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** Returns the name of a code of the addon, which is at least 1. */
export function errorCode(number: number): MillraceErrorCode {
  return errorCodes[number - 1] ?? 'INTERNAL';
}
