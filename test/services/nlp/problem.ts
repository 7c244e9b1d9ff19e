/** @module A request that is refused, and how. */

export interface Problem {
  readonly title: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON, or as it is if it is a string or bytes. */
  readonly body: string | Uint8Array | object | undefined;
  readonly status: number;
  readonly code: string;
  /** The expected message. */
  readonly says: RegExp;
  /** The wrong member, in the form of OpenAI. Default: none is. */
  readonly param?: string;
  /** Whether tokens have to be counted, which two threads do together. */
  readonly isCounted?: boolean;
}

export const INVALID = { status: 400, code: 'INVALID_ARGUMENT' } as const;
export const NOT_JSON = { status: 400, code: 'INVALID_JSON' } as const;
export const TOO_LARGE = { status: 413, code: 'PAYLOAD_TOO_LARGE' } as const;
export const WRONG_TASK = { status: 400, code: 'WRONG_TASK' } as const;
export const NO_MODEL = { status: 404, code: 'MODEL_NOT_FOUND' } as const;
export const NOT_READY = { status: 503, code: 'MODEL_NOT_READY' } as const;

type Common = Pick<Problem, 'path' | 'status' | 'code'> & Partial<Problem>;
type Row = readonly [title: string, body: Problem['body'], says: RegExp];

/** Problems that have all but their bodies and messages in common. */
export const problemsOf = (common: Common, rows: readonly Row[]): readonly Problem[] =>
  rows.map(([title, body, says]) => ({
    ...{ title, method: 'POST', headers: {}, body, says },
    ...common,
  }));
