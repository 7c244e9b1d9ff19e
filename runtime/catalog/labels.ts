/** @module Labels of versions, and promotion and rollback, which move the label `stable` together with the weights. */

import { quote } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import type { Sql } from '../store/store.ts';
import type { CatalogContext } from './context.ts';
import { recordEvent } from './events.ts';
import { findModel, type ModelRecord, touchModel } from './models.ts';
import { checkLabelName, isLabelName } from './names.ts';
import { type Author, changeOnce } from './once.ts';
import { checkRevision, type Expected } from './revision.ts';
import { checkReady, readVersion } from './versions.ts';

/** A label, as clients see it. */
export interface LabelRecord {
  readonly label: string;
  readonly version: string;
  /** The version that it named before; null if there was none. */
  readonly previous: string | null;
  readonly revision: number;
  /** ISO 8601, UTC. */
  readonly updated_at: string;
}

interface LabelRow extends Omit<LabelRecord, 'updated_at'> {
  readonly updated_at: Date;
}

const STABLE = 'stable';
const COLUMNS = 'label, version, previous, revision, updated_at';

/** The labels of a model after `after`, by name. @throws {ServeError} `MODEL_NOT_FOUND` */
export async function listLabels(
  context: CatalogContext,
  model: string,
  limit: number,
  after = '',
): Promise<readonly LabelRecord[]> {
  await findModel(context, context.store, model);
  const rows = await context.store.query<LabelRow>(
    `select ${COLUMNS} from model_labels where model = $1 and label > $2 order by label limit $3`,
    [model, after, limit],
  );
  return rows.map(toRecord);
}

/** @throws {ServeError} `MODEL_NOT_FOUND`, `NOT_FOUND` */
export async function findLabel(
  context: CatalogContext,
  model: string,
  label: string,
): Promise<LabelRecord> {
  await findModel(context, context.store, model);
  const found = isLabelName(label) ? await readLabel(context.store, model, label) : undefined;
  if (found === undefined) throw noLabel(model, label);
  return found;
}

/**
 * Lets a label name a version.
 *
 * @param expected The revision of the label.
 * @throws {ServeError} `INVALID_ARGUMENT`, `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND`, `STALE_REVISION`; `CONFLICT` if the
 * version is not ready, or another version has the name of the label
 */
export function setLabel(
  context: CatalogContext,
  model: string,
  label: string,
  version: string,
  author: Author,
  expected: Expected,
): Promise<LabelRecord> {
  checkLabelName(label);
  return changeOnce(context.store, author.once, async (sql) => {
    const { revision } = await touchModel(context, sql, model, author.who);
    const before = await readLabel(sql, model, label);
    checkRevision(expected, before?.revision, `label '${label}' of model '${model}'`);
    await checkReady(context, sql, model, version);
    await refuseVersionName(context, sql, model, label);
    const after = await moveLabel(sql, model, label, version, revision);
    const what = 'set_label';
    await recordEvent(sql, { model, who: author.who, what, ...change(before, after) });
    return after;
  });
}

/** @throws {ServeError} `MODEL_NOT_FOUND`, `NOT_FOUND`, `STALE_REVISION` */
export function deleteLabel(
  context: CatalogContext,
  model: string,
  label: string,
  author: Author,
  expected: Expected,
): Promise<LabelRecord> {
  return changeOnce(context.store, author.once, async (sql) => {
    await touchModel(context, sql, model, author.who);
    const before = isLabelName(label) ? await readLabel(sql, model, label) : undefined;
    checkRevision(expected, before?.revision, `label ${quote(label)} of model '${model}'`);
    if (before === undefined) throw noLabel(model, label);
    await sql.query('delete from model_labels where model = $1 and label = $2', [model, label]);
    const what = 'delete_label';
    await recordEvent(sql, { model, who: author.who, what, ...change(before, undefined) });
    return before;
  });
}

/**
 * Moves the label `stable` and all requests to a version, at once.
 *
 * @param expected The revision of the model, or of its label `stable`.
 * @throws {ServeError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND`, `STALE_REVISION`; `CONFLICT` if the version is not ready, or
 * the route is in `ROUTING_FILE`
 */
export function promote(
  context: CatalogContext,
  model: string,
  version: string,
  author: Author,
  expected: Expected,
): Promise<ModelRecord> {
  return changeOnce(context.store, author.once, async (sql) => {
    await moveStable(context, sql, model, () => version, 'promote', author, expected);
    return findModel(context, sql, model);
  });
}

/**
 * Moves the label `stable` and all requests back to the version that `stable` named before, or that had most of the requests
 * before the first promotion. A second rollback undoes the first one.
 *
 * @throws {ServeError} as `promote`, and `CONFLICT` if `stable` has named no other version
 */
export function rollback(
  context: CatalogContext,
  model: string,
  author: Author,
  expected: Expected,
): Promise<ModelRecord> {
  const previousOf = (stable: LabelRecord | undefined) => {
    if (typeof stable?.previous === 'string') return stable.previous;
    const message = `Model '${model}' cannot be rolled back, because no other version was stable before.`;
    throw new ServeError('CONFLICT', message);
  };
  return changeOnce(context.store, author.once, async (sql) => {
    await moveStable(context, sql, model, previousOf, 'rollback', author, expected);
    return findModel(context, sql, model);
  });
}

/**
 * Moves `stable` and the weights in the transaction of the caller, which may be that of a canary that has passed.
 *
 * @param choose Returns the version, given the present label.
 */
export async function moveStable(
  context: Pick<CatalogContext, 'repository' | 'routes'>,
  sql: Sql,
  model: string,
  choose: (stable: LabelRecord | undefined) => string,
  what: string,
  { who }: Pick<Author, 'who'>,
  expected?: Expected,
): Promise<void> {
  const { present, revision } = await touchModel(context, sql, model, who);
  const before = await readLabel(sql, model, STABLE);
  // A client may hold the ETag of the label, which the promotion moves, instead of that of the model.
  const isOfLabel = Array.isArray(expected) && expected.includes(before?.revision);
  if (!isOfLabel) checkRevision(expected, present, `model '${model}'`);
  const version = choose(before);
  await checkReady(context, sql, model, version);
  const weights = await context.routes.promote(sql, model, version, revision);
  // Without a label before, a rollback goes to the version that had most of the requests.
  const main = heaviestOther(weights ?? {}, version);
  const after = await moveLabel(sql, model, STABLE, version, revision, main);
  await recordEvent(sql, {
    model,
    who,
    what,
    before: { stable: before?.version ?? null, weights: weights ?? null },
    after: { stable: after.version, weights: { [version]: 1 } },
  });
}

function heaviestOther(weights: Readonly<Record<string, number>>, version: string): string | null {
  const others = Object.entries(weights).filter(([name, weight]) => name !== version && weight > 0);
  return others.toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}

/**
 * Lets a label name a version. The version before is remembered, unless it is the same.
 *
 * @param previous The version before, if there is no such label yet.
 */
async function moveLabel(
  sql: Sql,
  model: string,
  label: string,
  version: string,
  revision: number,
  previous: string | null = null,
): Promise<LabelRecord> {
  const [row] = await sql.query<LabelRow>(
    `insert into model_labels as l (model, label, version, revision, previous)
     values ($1, $2, $3, $4, $5)
     on conflict (model, label) do update set
       previous = case when l.version = excluded.version then l.previous else l.version end,
       version = excluded.version, revision = excluded.revision, updated_at = now()
     returning ${COLUMNS}`,
    [model, label, version, revision, previous],
  );
  return toRecord(row!);
}

async function readLabel(sql: Sql, model: string, label: string): Promise<LabelRecord | undefined> {
  const [row] = await sql.query<LabelRow>(
    `select ${COLUMNS} from model_labels where model = $1 and label = $2`,
    [model, label],
  );
  return row && toRecord(row);
}

const toRecord = (row: LabelRow): LabelRecord => ({
  ...row,
  updated_at: row.updated_at.toISOString(),
});

const change = (before: LabelRecord | undefined, after: LabelRecord | undefined) => ({
  before: before && { label: before.label, version: before.version },
  after: after && { label: after.label, version: after.version },
});

/** @throws {ServeError} `CONFLICT` if a version has that name, so that a request could mean either. */
async function refuseVersionName(
  context: CatalogContext,
  sql: Sql,
  model: string,
  label: string,
): Promise<void> {
  const isRegistered = (await readVersion(sql, model, label)) !== undefined;
  if (!isRegistered && !context.repository.versions(model)?.includes(label)) return;
  throw new ServeError(
    'CONFLICT',
    `Model '${model}' has a version '${label}'; choose another label.`,
  );
}

const noLabel = (model: string, label: string): ServeError =>
  new ServeError('NOT_FOUND', `Model '${model}' has no label ${quote(label)}.`);
