/** @module Entities of windows that overlap: one of those that are at the same place is kept. */

/** An entity as one window shows it. */
export interface WindowEntity {
  readonly start: number;
  readonly end: number;
  readonly score: number;
  /** The window, by its index among those of the text. */
  readonly window: number;
  /** Whether it ends where the window was cut, so that a part of it may be missing. */
  readonly isCut: boolean;
}

/**
 * Merges the entities of a text, window after window. Of those from different windows that overlap, the one with the best score
 * is kept; one that may lack a part only if there is no other.
 */
export class EntityMerger<Entity extends WindowEntity> {
  /** Those that entities of the next window may overlap, at least by way of others. */
  #open: readonly Entity[] = [];

  /**
   * Adds the entities of the next window.
   *
   * @param next Where the window after it begins; infinity if it is the last one.
   * @returns the entities that are known now, in the order of the text and after those that were returned before.
   */
  add(entities: readonly Entity[], next: number): readonly Entity[] {
    const sorted = [...this.#open, ...entities].sort(inOrder);
    const known: Entity[] = [];
    let cluster: Entity[] = [];
    let end = 0;
    let rest = 0;
    for (const [i, entity] of sorted.entries()) {
      const isApart = entity.start >= end && !cluster.some((each) => overlap(each, entity));
      if (cluster.length > 0 && isApart) {
        known.push(...bestOf(cluster));
        cluster = [];
        end = 0;
        rest = i;
      }
      cluster.push(entity);
      end = Math.max(end, entity.end);
      if (end > next) break;
    }
    const isLast = next === Number.POSITIVE_INFINITY;
    if (!isLast) {
      this.#open = sorted.slice(rest);
      return known;
    }
    this.#open = [];
    return [...known, ...bestOf(cluster)];
  }
}

const inOrder = (a: WindowEntity, b: WindowEntity): number => a.start - b.start || a.end - b.end;

/** The entities that are kept of some that overlap each other, at least by way of others. */
function bestOf<Entity extends WindowEntity>(cluster: readonly Entity[]): readonly Entity[] {
  if (cluster.length <= 1) return cluster;
  const ranked = cluster.toSorted(
    (a, b) => Number(a.isCut) - Number(b.isCut) || b.score - a.score || a.window - b.window,
  );
  const kept: Entity[] = [];
  for (const entity of ranked) {
    if (!kept.some((each) => each.window !== entity.window && overlap(each, entity))) {
      kept.push(entity);
    }
  }
  return kept.sort(inOrder);
}

/** An entity without characters overlaps one at the same place. */
const overlap = (a: WindowEntity, b: WindowEntity): boolean =>
  (a.start < b.end && b.start < a.end) || (a.start === b.start && a.end === b.end);
