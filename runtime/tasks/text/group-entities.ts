/** @module Joins neighbouring tokens, or words, of the same type to entities. */

import type { Tag } from './entity-labels.ts';
import type { WindowEntity } from './merge-entities.ts';
import type { Labelled } from './token-scores.ts';

/** Which window of a text it is. */
export interface WindowPlace {
  readonly window: number;
  /** Whether the text goes on before, and after the window. */
  readonly hasBefore: boolean;
  readonly hasAfter: boolean;
}

/** An entity of one window. */
export interface FoundEntity extends WindowEntity {
  readonly label: string;
}

/** Each token or word as an entity of its own, with its whole label. */
export const separateEntities = (
  labelled: readonly Labelled[],
  labels: readonly string[],
  { window }: WindowPlace,
): readonly FoundEntity[] =>
  labelled.map(({ start, end, score, label }) => ({
    ...{ start, end, score, window, isCut: false },
    label: labels[label]!,
  }));

export function groupEntities(
  labelled: readonly Labelled[],
  tags: readonly Tag[],
  place: WindowPlace,
): readonly FoundEntity[] {
  const groups: Labelled[][] = [];
  let last: Tag | undefined;
  for (const each of labelled) {
    const tag = tags[each.label]!;
    if (last !== undefined && tag.type === last.type && !tag.begins) groups.at(-1)!.push(each);
    else groups.push([each]);
    last = tag;
  }
  return groups.map((group) => entityOf(group, tags, place));
}

function entityOf(
  group: readonly Labelled[],
  tags: readonly Tag[],
  { window, hasBefore, hasAfter }: WindowPlace,
): FoundEntity {
  const first = group[0]!;
  const last = group.at(-1)!;
  return {
    start: first.start,
    end: last.end,
    score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
    label: tags[first.label]!.name,
    window,
    isCut: (hasBefore && first.isFirst) || (hasAfter && last.isLast),
  };
}
