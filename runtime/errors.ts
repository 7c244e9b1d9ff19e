/** @module The one error class of the runtime, and how the engine's errors become it. */

/** Closed set. What each means to an HTTP client is decided in one table, `services/http/error-response.ts`. */
export type ServeCode =
  | 'INVALID_ARGUMENT'
  | 'INVALID_JSON'
  | 'INVALID_CONFIG'
  | 'MODEL_NOT_FOUND'
  | 'VERSION_NOT_FOUND'
  | 'MODEL_NOT_READY'
  | 'ROUTE_NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'UNSUPPORTED_ENCODING'
  | 'CROSS_SITE'
  | 'CONTROL_DISABLED'
  | 'LOAD_FAILED'
  | 'PAYLOAD_TOO_LARGE'
  | 'BODY_TIMEOUT'
  | 'BODY_INCOMPLETE'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'OVERLOADED'
  | 'DRAINING'
  | 'PORT_TAKEN'
  | 'INTERNAL';

/**
 * What the runtime throws, and nothing else. `message` is one sentence that may be shown to a client:
 * it holds no path, address or internal id.
 */
export class ServeError extends Error {
  override readonly name = 'ServeError';
  readonly code: ServeCode;
  /** With a lack of capacity: after how many milliseconds to try again, where that is known. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ServeCode,
    message: string,
    options?: ErrorOptions & { retryAfterMs?: number | undefined },
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/**
 * Takes absolute paths (down to the file's name), lines of source and addresses out of a message of foreign
 * origin. It may hold what a client sent, so no pattern may try the same characters again from every place.
 */
export function redact(message: string): string {
  return message
    .replace(/(["'])\/[^"']*\/([^"'/]+)\1/g, '$1$2$1')
    .replace(/(?:file:\/\/|(?<![\w.]))(?:\/[^\s:'"()[\]<>,/]+)*\/([^\s:'"()[\]<>,/]+)/g, '$1')
    .replace(/(?<![\w-])[\w-]+\.(?:cc|cpp|h|hpp|cu|cuh):\d+ ?/g, '')
    .replace(/\b0x[0-9a-f]+\b/gi, '…')
    .replace(/\s+/g, ' ')
    .trim();
}

/** What an engine's error means to a caller of the runtime. */
export function fromEngine(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  const { code, message } = describe(error);
  switch (code) {
    case 'INVALID_ARGUMENT':
      return new ServeError('INVALID_ARGUMENT', redact(message), { cause: error });
    case 'DEADLINE_EXCEEDED':
      return new ServeError('DEADLINE_EXCEEDED', 'The request was not answered by its deadline.');
    case 'CANCELLED':
      return new ServeError('CANCELLED', 'The client went away before the answer was ready.');
    case 'UNAVAILABLE': {
      // Only a queue knows when to try again. What is gone for good (a GPU, the process) says so.
      const after = retryAfterMs(error);
      return after === undefined
        ? new ServeError('MODEL_NOT_READY', redact(message), { cause: error })
        : new ServeError('OVERLOADED', 'The model has too many requests waiting; retry later.', {
            retryAfterMs: after,
          });
    }
    case 'RESOURCE_EXHAUSTED':
      return new ServeError('OVERLOADED', redact(message), { cause: error });
    case 'FAILED_PRECONDITION':
      return new ServeError('MODEL_NOT_READY', 'The model version has just been unloaded; retry.');
    default:
      return new ServeError('INTERNAL', failure(error), { cause: error });
  }
}

/** The engine's own reason; what else is thrown may say anything. */
function failure(error: unknown): string {
  const known = error instanceof Error && error.name === 'MillraceError' && error.message !== '';
  return known ? `The model failed to run: ${redact(error.message)}.` : 'The model failed to run.';
}

function retryAfterMs(error: unknown): number | undefined {
  const known = error instanceof Error && 'retryAfterMs' in error ? error.retryAfterMs : undefined;
  return typeof known === 'number' ? known : undefined;
}

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'INTERNAL', message: String(error) };
  if (error.name === 'AbortError') return { code: 'CANCELLED', message: error.message };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'INTERNAL';
  return { code, message: error.message };
}
