/** @module What a conformance case is: one sentence about a V2 server, and how to find out whether it holds. */

import type { Answer, Server } from './server.ts';

/**
 * `core` is the Open Inference Protocol itself. `triton` adds the extensions of Triton, `kserve` what
 * KServe's own clients rely on beyond the core, `strict` what the protocol leaves open and a careful
 * server settles: who is to blame for an error, and what does not fit the model.
 */
export type Profile = 'core' | 'triton' | 'kserve' | 'strict';

export interface Case {
  /** Unique, such as `infer/wrong-datatype`: stable from one version to the next. */
  readonly id: string;
  /** What holds of a server that conforms, in words. */
  readonly title: string;
  readonly profile: Profile;
  /**
   * Throws a `Failure` where it does not hold. A text that it resolves to says why the case tells nothing of
   * this server.
   */
  run(server: Server): Promise<unknown>;
}

/** Makes the cases of one area and, unless they say otherwise, of one profile. */
export const define =
  (area: string, usual: Profile) =>
  (id: string, title: string, run: Case['run'], profile: Profile = usual): Case => ({
    id: `${area}${id}`,
    title,
    profile,
    run,
  });

/** What was expected and what came. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

export function expect(holds: boolean, what: string, answer?: Answer): asserts holds {
  if (holds) return;
  const got = answer === undefined ? '' : `; got ${answer.status} ${excerpt(answer.text)}`;
  throw new Failure(`expected ${what}${got}`);
}

/** The statuses by which a server may say that a request was wrong. */
export function expectRefused(answer: Answer): void {
  expect(answer.status >= 400 && answer.status < 500, 'a 4xx', answer);
}

/** How the protocol has an error say what was wrong. */
export function expectReason(answer: Answer): void {
  expect(answer.status >= 400, 'an error', answer);
  expect(typeof answer.json?.error === 'string', '{"error": "<message>"}', answer);
}

const excerpt = (text: string): string => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: binary answers are shown too
  const shown = text.slice(0, 200).replace(/[\u0000-\u001f\u007f]/g, '·');
  return text.length > 200 ? `${shown}…` : shown;
};
