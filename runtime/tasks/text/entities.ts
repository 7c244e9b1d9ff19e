/** @module The entities that texts name, such as people and places; as transformers' TokenClassificationPipeline. */

import { invalidArgument } from '../../errors.ts';
import { ShortTurns } from '../../short-turns.ts';
import type { TextModel } from '../../text/text-model.ts';
import { type OffsetUnit, TextOffsets, type TokenWindow } from '../../text/tokenizer/index.ts';
import {
  type EncodedRows,
  encodeTexts,
  rowsOf,
  type TextWindow,
  windowsOf,
} from './encode-texts.ts';
import { OUTSIDE, type Tag, tagsOf } from './entity-labels.ts';
import { type FoundEntity, groupEntities, separateEntities } from './group-entities.ts';
import { EntityMerger } from './merge-entities.ts';
import type { TextInput, TextOperation, TextUsage, WindowOptions } from './operation.ts';
import { RowOutputs } from './rows.ts';
import { checkTexts, TURN_MS } from './texts.ts';
import { type Aggregation, type Continues, labelWindow } from './token-scores.ts';
import { usageOf } from './usage.ts';

export interface EntitiesInput extends TextInput, WindowOptions {
  /** Default: `simple`. */
  readonly aggregation?: Aggregation | undefined;
  /** Entities with a lower score are left out. Default: that of the model, else 0. */
  readonly threshold?: number | undefined;
  /** Only entities with these labels. Default: all. */
  readonly labels?: readonly string[] | undefined;
  /** What `start` and `end` count. Default: `utf16`. */
  readonly offsetUnit?: OffsetUnit | undefined;
}

export interface Entity {
  /** The part of the text, as it was sent. */
  readonly text: string;
  readonly label: string;
  readonly start: number;
  /** The place after its last character. */
  readonly end: number;
  readonly score: number;
}

export interface TextEntities {
  /** In the order of the text. */
  readonly entities: readonly Entity[];
}

export interface EntitiesOutput {
  readonly results: readonly TextEntities[];
  readonly usage: TextUsage;
}

interface Context extends EncodedRows {
  readonly input: EntitiesInput;
  /** What the labels of the model say, in their order. */
  readonly tags: readonly Tag[];
  /** Lengths of the names of tokens by id, if they tell which tokens continue a word. */
  readonly nameLengths: ReadonlyMap<number, number> | undefined;
}

export const entities: TextOperation<EntitiesInput, Context, EntitiesOutput> = {
  tasks: ['token-classification'],
  async prepare(model, input, signal) {
    const tags = tagsOf(model.labels);
    checkLabels(model, input, tags);
    checkTexts(input);
    const encoded = await encodeTexts(model, input.texts, input, { offsets: true }, signal);
    const rows = await rowsOf(model, encoded);
    const nameLengths = await nameLengthsOf(model, input, rows);
    const context = { ...rows, input, tags, nameLengths };
    return { runs: rows.rows.runs, outputs: [model.output], context };
  },
  async answer(model, results, context) {
    const { encoded, rows, input } = context;
    const outputs = new RowOutputs(model, rows, results);
    const turns = new ShortTurns(TURN_MS);
    const answers: TextEntities[] = [];
    for (const windows of windowsOf(encoded)) {
      const text = input.texts[answers.length]!;
      answers.push({ entities: await entitiesOf(model, context, text, windows, outputs, turns) });
      await turns.pause();
    }
    return { results: answers, usage: usageOf(encoded) };
  },
};

async function entitiesOf(
  model: TextModel,
  context: Context,
  text: string,
  windows: readonly TextWindow[],
  outputs: RowOutputs,
  turns: ShortTurns,
): Promise<readonly Entity[]> {
  const { input, tags } = context;
  const { aggregation = 'simple' } = input;
  const offsets = new TextOffsets(text);
  const continues = continuesOf(model, context, text, offsets);
  const merger = new EntityMerger<FoundEntity>();
  const found: Entity[] = [];
  for (const [i, { window, index }] of windows.entries()) {
    const output = outputs.of(index);
    const labelled = await labelWindow(window, output, aggregation, continues, turns);
    const next = windows[i + 1]?.window;
    const place = { window: i, hasBefore: i > 0, hasAfter: next !== undefined };
    const own =
      aggregation === 'none'
        ? separateEntities(labelled, model.labels, place)
        : groupEntities(labelled, tags, place);
    const inside = own.filter(({ label }) => label !== OUTSIDE);
    const known = windows.length === 1 ? inside : merger.add(inside, startOf(next));
    for (const entity of known) {
      if (isWanted(entity, model, input, tags)) found.push(describe(entity, input, text, offsets));
    }
    await turns.pause();
  }
  return found;
}

/** Where the text of a window begins; infinity without one. */
function startOf(window: TokenWindow | undefined): number {
  if (window === undefined) return Number.POSITIVE_INFINITY;
  return window.offsets![2 * window.special.indexOf(0)]!;
}

function isWanted(
  { label, score }: FoundEntity,
  model: TextModel,
  { threshold = model.threshold ?? 0, labels }: EntitiesInput,
  tags: readonly Tag[],
): boolean {
  if (score < threshold) return false;
  // Without aggregation, entities have whole labels, such as B-ORG.
  const name = () => tags[model.labels.indexOf(label)]?.name ?? label;
  return labels === undefined || labels.includes(label) || labels.includes(name());
}

function describe(
  { label, score, ...place }: FoundEntity,
  { offsetUnit = 'utf16' }: EntitiesInput,
  text: string,
  offsets: TextOffsets,
): Entity {
  const [from, to] = [offsets.at(place.start, 'utf16'), offsets.at(place.end, 'utf16')];
  const start = offsets.at(place.start, offsetUnit);
  const end = offsets.at(place.end, offsetUnit);
  return { text: text.slice(from, to), label, start, end, score };
}

/** @throws {ServeError} `INVALID_ARGUMENT` for a label that the model does not have. */
function checkLabels(model: TextModel, { labels }: EntitiesInput, tags: readonly Tag[]): void {
  if (labels === undefined) return;
  const names = tags.map(({ name }) => name);
  const known = new Set([...model.labels, ...names]);
  const at = labels.findIndex((label) => !known.has(label));
  if (at === -1) return;
  const list = [...new Set(names)].filter((name) => name !== OUTSIDE).join(', ');
  throw invalidArgument(
    `labels[${at}] is ${JSON.stringify(labels[at])}, which the model does not have; its labels are ${list}.`,
  );
}

/** The lengths of the names of all tokens, if the strategy needs words and the vocabulary marks what continues one. */
async function nameLengthsOf(
  { tokenizer }: TextModel,
  { aggregation = 'simple' }: EntitiesInput,
  { encoded }: EncodedRows,
): Promise<Context['nameLengths']> {
  const isByWord = aggregation !== 'none' && aggregation !== 'simple';
  if (!isByWord || tokenizer.facts.continuingPrefix === undefined) return undefined;
  const ids = new Set<number>();
  const turns = new ShortTurns(TURN_MS);
  for (const { windows } of encoded) {
    for (const window of windows) {
      for (const id of window.ids) ids.add(id);
      await turns.pause();
    }
  }
  const distinct = [...ids];
  const names = await tokenizer.namesOf(distinct);
  return new Map(distinct.map((id, i) => [id, [...names[i]!].length]));
}

/**
 * How transformers tells whether a token continues a word: it is shorter in the text than its name, which has a prefix then;
 * where the vocabulary has no such prefix, there is no space where it begins.
 */
function continuesOf(
  { tokenizer }: TextModel,
  { nameLengths }: Context,
  text: string,
  offsets: TextOffsets,
): Continues {
  const { unknownId } = tokenizer.facts;
  return (id, start, end) => {
    if (id === unknownId) return false;
    if (nameLengths !== undefined) return nameLengths.get(id) !== end - start;
    if (start === 0) return false;
    const from = offsets.at(start - 1, 'utf16');
    return !text.slice(from, offsets.at(start + 1, 'utf16')).includes(' ');
  };
}
