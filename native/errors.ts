/** @module The one error class of the engine. */

/** Closed set, named as in gRPC. */
export type MillraceErrorCode =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'FAILED_PRECONDITION'
  | 'RESOURCE_EXHAUSTED'
  | 'UNIMPLEMENTED'
  | 'UNAVAILABLE'
  | 'INTERNAL';

/** What every engine call throws or rejects with. `code` is for programs, `message` for people. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: MillraceErrorCode;
  /** With `UNAVAILABLE`: after how many milliseconds to try again, going by measured costs. */
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
