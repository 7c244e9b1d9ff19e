/**
 * The order of all changes of state, which the main thread determines: a change is complete in every HTTP thread before
 * the next one begins, and the request that caused it gets its result when all threads have made it
 * (decision record 0023).
 *
 * A change is made in two steps, so that threads never differ: all threads prepare it, and if they agree on its result,
 * all of them commit it. Otherwise all of them keep their state.
 *
 * @module
 */

import type { CatalogSnapshot } from './catalog/snapshot.ts';
import { ServeError } from './errors.ts';
import { type Failure, fromFailure, toFailure } from './failure.ts';
import type { Log } from './log.ts';
import type { LoadOverride } from './repository/index.ts';

/** A change that every HTTP thread makes. A new kind of state adds its kinds here. */
export type StateChange =
  | { readonly kind: 'load'; readonly name: string; readonly override: LoadOverride | undefined }
  | { readonly kind: 'unload'; readonly name: string }
  /** Take over what has changed in the repository. */
  | { readonly kind: 'refresh' }
  /** Serve what the catalog has, with the routes that are in effect. */
  | { readonly kind: 'catalog'; readonly snapshot: CatalogSnapshot };

/** A change that one thread is ready to make. */
export interface PreparedChange {
  /** Identifies the result of the change. It is equal in two threads that would serve the same afterwards. */
  readonly result: string;
  /**
   * The reason why a model that is part of the change cannot be served. Such a change is committed all the
   * same, because the model is listed with its reason.
   */
  readonly failure?: ServeError | undefined;
  commit(): void;
  abandon(): void;
}

/** The reply of one thread that was to prepare a change. */
export interface Vote {
  /** As in `PreparedChange`; undefined if the thread could not prepare the change. */
  readonly result: string | undefined;
  readonly failure: Failure | undefined;
}

/** The bus's view of one thread. Neither method rejects. */
export interface BusMember {
  prepare(change: StateChange): Promise<Vote>;
  /** Commits the prepared change, or abandons it. */
  finish(commit: boolean): Promise<void>;
}

/**
 * A member that makes changes in this thread.
 *
 * @param prepare Prepares a change. @throws {ServeError} why it cannot be made.
 */
export function createMember(
  prepare: (change: StateChange) => Promise<PreparedChange>,
  log: Log,
): BusMember {
  let prepared: PreparedChange | undefined;
  return {
    async prepare(change) {
      try {
        prepared = await prepare(change);
        const { result, failure } = prepared;
        return { result, failure: failure && toFailure(failure) };
      } catch (error) {
        if (!(error instanceof ServeError))
          log.error({ change: change.kind, err: error }, 'failed');
        return { result: undefined, failure: toFailure(error) };
      }
    },
    async finish(commit) {
      const change = prepared;
      prepared = undefined;
      if (commit) change?.commit();
      else change?.abandon();
    },
  };
}

export interface Bus {
  /**
   * Makes a change in every HTTP thread, or in no thread. Resolves when all of them have made it.
   *
   * @throws {ServeError} the reason why it was not made, or why the loaded model cannot be served; `OVERLOADED`
   * if too many changes wait
   */
  publish(change: StateChange): Promise<void>;
}

/**
 * Each thread reads the repository, so that they disagree if a file is replaced meanwhile. Then the change is prepared
 * again, and succeeds when the files do not change any more.
 */
const MAX_ATTEMPTS = 5;
/** Maximum changes that are in progress or queued, because each of them holds the files that it brought along. */
const MAX_CHANGES = 64;

/** Passes every change to all members, one change after the other. */
export class ChangeSequencer implements Bus {
  readonly #members: readonly BusMember[];
  #last: Promise<unknown>;
  #changes = 0;
  #closed = false;

  /**
   * @param members The threads that make each change.
   * @param complete Resolves when all members have been added; changes wait until then.
   */
  constructor(members: readonly BusMember[], complete: Promise<void> = Promise.resolve()) {
    this.#members = members;
    this.#last = complete;
  }

  publish(change: StateChange): Promise<void> {
    if (this.#closed) return Promise.reject(draining());
    if (this.#changes >= MAX_CHANGES) {
      const message = `The server already has ${MAX_CHANGES} changes of models to make; retry later.`;
      return Promise.reject(new ServeError('OVERLOADED', message));
    }
    this.#changes += 1;
    const made = this.#last
      .then(() => this.#make(change))
      .finally(() => {
        this.#changes -= 1;
      });
    this.#last = made.catch(() => {});
    return made;
  }

  /** Refuses further changes, and resolves when the current one is complete. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  async #make(change: StateChange): Promise<void> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      if (this.#closed) throw draining();
      const votes = await this.#vote(change);
      const agreed = votes.every(
        ({ result }) => result !== undefined && result === votes[0]!.result,
      );
      await Promise.all(this.#members.map((member) => member.finish(agreed)));
      const failure = votes.find((vote) => vote.failure !== undefined)?.failure;
      // These have succeeded if the threads agree, because models that cannot be served are part of them.
      if (agreed && (change.kind === 'refresh' || change.kind === 'catalog')) return;
      if (failure !== undefined) throw fromFailure(failure);
      if (agreed) return;
    }
    throw new ServeError(
      'INTERNAL',
      'The HTTP threads could not agree on what they serve, because the repository keeps changing; repeat the request when no file in it is being written.',
    );
  }

  /** The first member prepares by itself, so that the others share the models that it has loaded. */
  async #vote(change: StateChange): Promise<Vote[]> {
    const [first, ...others] = this.#members;
    const vote = await first!.prepare(change);
    return [vote, ...(await Promise.all(others.map((member) => member.prepare(change))))];
  }
}

const draining = () => new ServeError('DRAINING', 'The server is shutting down; retry elsewhere.');
