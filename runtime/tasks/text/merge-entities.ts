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
 * The entities of a text in its order. Of those from different windows that overlap, the one with the best score is kept; one
 * that may lack a part only if there is no other.
 */
export function mergeEntities<Entity extends WindowEntity>(
  entities: readonly Entity[],
): readonly Entity[] {
  const sorted = entities.toSorted((a, b) => a.start - b.start || a.end - b.end);
  const merged: Entity[] = [];
  let cluster: Entity[] = [];
  let end = 0;
  for (const entity of sorted) {
    const isApart = entity.start >= end && !cluster.some((each) => overlap(each, entity));
    if (cluster.length > 0 && isApart) {
      merged.push(...bestOf(cluster));
      cluster = [];
      end = 0;
    }
    cluster.push(entity);
    end = Math.max(end, entity.end);
  }
  merged.push(...bestOf(cluster));
  return merged;
}

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
  return kept.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** An entity without characters overlaps one at the same place. */
const overlap = (a: WindowEntity, b: WindowEntity): boolean =>
  (a.start < b.end && b.start < a.end) || (a.start === b.start && a.end === b.end);
