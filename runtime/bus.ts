/**
 * The order of all changes of state. The main thread gives it: a change is made in every HTTP thread before
 * the next one begins, and whoever asked for it has the result when all threads have it
 * (.github/decisions/0023).
 *
 * @module
 */

import { ServeError } from './errors.ts';
import type { LoadOverride } from './repository/index.ts';

/** A change that every HTTP thread makes. A new kind of state adds its kinds here. */
export type StateChange =
  | { readonly kind: 'load'; readonly name: string; readonly override: LoadOverride | undefined }
  | { readonly kind: 'unload'; readonly name: string }
  /** Take over what has changed in the repository. */
  | { readonly kind: 'refresh' };

/** An error as it passes between threads. */
export interface Failure {
  readonly code: ServeError['code'];
  readonly message: string;
}

/** What one thread has made of a change. */
export interface Applied {
  /** Why it could not make the change; it then goes on as before. */
  readonly failure: Failure | undefined;
  /** Stands for what the thread serves now: two threads that serve the same have the same. */
  readonly state: string;
}

/** Makes changes in one thread. */
export type Apply = (change: StateChange) => Promise<Applied>;

export interface Bus {
  /**
   * Makes a change in every HTTP thread. Resolves when all of them have made it.
   *
   * @throws {ServeError} why it could not be made.
   */
  publish(change: StateChange): Promise<void>;
}

/**
 * Threads read the repository each by itself, so that a file that is replaced meanwhile can leave them with
 * different models. The change is then made again, which ends as soon as the files stand still.
 */
const MOST_ATTEMPTS = 5;

/** Gives every change to all members, one change after the other. */
export class ChangeSequencer implements Bus {
  readonly #members: () => readonly Apply[];
  #last: Promise<unknown> = Promise.resolve();

  /** @param members Those that make a change, asked for anew with each. */
  constructor(members: () => readonly Apply[]) {
    this.#members = members;
  }

  publish(change: StateChange): Promise<void> {
    const made = this.#last.then(() => this.#make(change));
    this.#last = made.catch(() => {});
    return made;
  }

  async #make(change: StateChange): Promise<void> {
    for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
      const applied = await Promise.all(this.#members().map((apply) => apply(change)));
      const [first, ...others] = applied;
      const failure = applied.find((each) => each.failure !== undefined)?.failure;
      if (others.every(({ state }) => state === first!.state)) {
        if (failure !== undefined) throw fromFailure(failure);
        return;
      }
    }
    throw new ServeError(
      'INTERNAL',
      'The HTTP threads could not agree on what they serve, because the repository keeps changing; repeat the request when it stands still.',
    );
  }
}

export function toFailure(error: unknown): Failure {
  if (error instanceof ServeError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

export const fromFailure = ({ code, message }: Failure): ServeError =>
  new ServeError(code, message);
