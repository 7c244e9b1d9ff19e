/** @module Which models are being loaded or unloaded at the moment. */

/** A change of a model that is in progress. */
export type Transition = 'LOADING' | 'UNLOADING';

/** Counts transitions, because two loads of one model may be unloading at the same time. */
export class Transitions {
  readonly #counts = { LOADING: new Map<string, number>(), UNLOADING: new Map<string, number>() };

  /** Lasts from now until `work` settles, whose outcome is returned. */
  async during<Result>(kind: Transition, name: string, work: Promise<Result>): Promise<Result> {
    const counts = this.#counts[kind];
    counts.set(name, (counts.get(name) ?? 0) + 1);
    try {
      return await work;
    } finally {
      const left = counts.get(name)! - 1;
      if (left === 0) counts.delete(name);
      else counts.set(name, left);
    }
  }

  /** The transition of the model of that name, if any. A load counts before an unload, because it will be served. */
  of(name: string): Transition | undefined {
    if (this.#counts.LOADING.has(name)) return 'LOADING';
    return this.#counts.UNLOADING.has(name) ? 'UNLOADING' : undefined;
  }
}
