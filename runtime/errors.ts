/** @module The error class of the runtime, and the conversion of the engine's errors to it. */

/** The closed set of codes. `services/http/error-response.ts` maps each to an HTTP status. */
export type ServeCode =
  | 'INVALID_ARGUMENT'
  | 'INVALID_JSON'
  | 'INVALID_CONFIG'
  | 'MODEL_NOT_FOUND'
  | 'VERSION_NOT_FOUND'
  | 'MODEL_NOT_READY'
  /** The model that a request names does something else than what was asked for. */
  | 'WRONG_TASK'
  | 'ROUTE_NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'UNSUPPORTED_ENCODING'
  | 'CROSS_SITE'
  /** A thing that a request names does not exist, and is neither a model nor a version. */
  | 'NOT_FOUND'
  /** The request contradicts what is stored: a name that is taken, a version that is in use. */
  | 'CONFLICT'
  /** `If-Match` has a revision that is not the present one. */
  | 'STALE_REVISION'
  /** `If-Match` is required and missing. */
  | 'REVISION_REQUIRED'
  /** A model was understood, tried and refused. */
  | 'REJECTED'
  | 'FORBIDDEN'
  /** The database, the artifacts or the queue cannot be reached. */
  | 'STORE_UNAVAILABLE'
  | 'CONTROL_DISABLED'
  | 'LOAD_FAILED'
  | 'PAYLOAD_TOO_LARGE'
  /** An image is damaged, or lacks its end. */
  | 'INVALID_IMAGE'
  /** An image has too many pixels or bytes. */
  | 'IMAGE_TOO_LARGE'
  | 'BODY_TIMEOUT'
  | 'BODY_INCOMPLETE'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'OVERLOADED'
  | 'DRAINING'
  | 'LISTEN_FAILED'
  | 'INTERNAL';

/**
 * The only error class that the runtime throws. `message` is one sentence that may be shown to a client: it
 * holds no path, address or internal id, and ends with a full stop. The constructor adds a missing full stop, for
 * example to messages of the engine.
 */
export class ServeError extends Error {
  override readonly name = 'ServeError';
  readonly code: ServeCode;
  /** For temporary errors: the milliseconds after which to retry, if they are known. */
  readonly retryAfterMs: number | undefined;
  /** The member of the request that is wrong, if it is one of the outermost object. */
  readonly param: string | undefined;

  constructor(
    code: ServeCode,
    message: string,
    options?: ErrorOptions & { retryAfterMs?: number | undefined; param?: string | undefined },
  ) {
    super(/[^.…]$/.test(message) ? `${message}.` : message, options);
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
    this.param = options?.param;
  }
}

/** @param param As in `ServeError`. */
export function invalidArgument(message: string, param?: string): ServeError {
  return new ServeError('INVALID_ARGUMENT', message, { param });
}

/**
 * Removes absolute paths (except the file's name), source lines and addresses from a message of another
 * library. It may repeat what a client sent, so every pattern has to match in linear time.
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

/** Converts an error of the engine to the error that callers of the runtime see. */
export function fromEngine(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  const { code, message } = describe(error);
  switch (code) {
    case 'INVALID_ARGUMENT':
      return new ServeError('INVALID_ARGUMENT', redact(message), { cause: error });
    case 'DEADLINE_EXCEEDED':
      return new ServeError('DEADLINE_EXCEEDED', 'The request was not answered by its deadline.');
    case 'CANCELLED':
      return new ServeError('CANCELLED', 'The client closed the connection.');
    case 'UNAVAILABLE': {
      // Only a full queue has an estimate of when to retry. A lost GPU or a closing process has none.
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
      return new ServeError('MODEL_NOT_READY', 'The model version has just been unloaded; retry.', {
        retryAfterMs: 0,
      });
    default:
      return new ServeError('INTERNAL', failure(error), { cause: error });
  }
}

/** Quotes only reasons of the engine, because any other error may contain anything. */
function failure(error: unknown): string {
  const known = error instanceof Error && error.name === 'MillraceError' && error.message !== '';
  return known ? `The model failed to run: ${redact(error.message)}` : 'The model failed to run.';
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
