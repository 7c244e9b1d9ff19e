/** @module The type of a conformance case: one statement about a V2 server, and a function that checks it. */

import type { HttpResponse, Server } from './server.ts';

/**
 * `core` is the Open Inference Protocol itself. `triton` adds the extensions of Triton, `kserve` what
 * KServe's own clients rely on beyond the core, and `strict` points that the protocol leaves open and a careful
 * server decides: whose fault an error is, and which requests do not fit the model.
 */
export type Profile = 'core' | 'triton' | 'kserve' | 'strict';

export interface Case {
  /** Unique, such as `infer/wrong-datatype`, and stable between versions. */
  readonly id: string;
  /** A statement that is true of a conforming server. */
  readonly title: string;
  readonly profile: Profile;
  /**
   * Throws a `Failure` if the statement is false. If it resolves to a string, the case is skipped for the reason
   * in the string.
   */
  run(server: Server): Promise<unknown>;
}

/** Creates the cases of one area, which have one profile unless they name another. */
export const define =
  (area: string, defaultProfile: Profile) =>
  (id: string, title: string, run: Case['run'], profile: Profile = defaultProfile): Case => ({
    id: `${area}${id}`,
    title,
    profile,
    run,
  });

/** The error of a case that fails: what was expected, and what the server returned. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

export function expect(holds: boolean, what: string, response?: HttpResponse): asserts holds {
  if (holds) return;
  const got = response === undefined ? '' : `; got ${response.status} ${excerpt(response.text)}`;
  throw new Failure(`expected ${what}${got}`);
}

/** The statuses that a server may return for an invalid request. */
export function expectRefused(response: HttpResponse): void {
  expect(response.status >= 400 && response.status < 500, 'a 4xx', response);
}

/** Expects an error body as the protocol defines it. */
export function expectReason(response: HttpResponse): void {
  expect(response.status >= 400, 'an error', response);
  expect(typeof response.json?.error === 'string', '{"error": "<message>"}', response);
}

const excerpt = (text: string): string => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: binary responses are shown too
  const shown = text.slice(0, 200).replace(/[\u0000-\u001f\u007f]/g, '·');
  return text.length > 200 ? `${shown}…` : shown;
};
