/** @module The models of the catalog, and which of their versions are served. */

import { quote } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import type { Sql } from '../store/store.ts';
import type { CatalogContext, RepositoryModels } from './context.ts';
import { recordEvent } from './events.ts';
import { isName } from './names.ts';
import { type Author, changeOnce } from './once.ts';
import { checkRevision, type Expected } from './revision.ts';

/** The versions of a model that are served: all that are ready, the newest ones, or those with these names. */
export type VersionPolicy =
  | 'all'
  | { readonly latest: number }
  | { readonly specific: readonly string[] };

/** A model, as clients see it. */
export interface ModelRecord {
  readonly name: string;
  /** 0 for a model of the repository that nothing is stored about. */
  readonly revision: number;
  readonly version_policy: VersionPolicy;
  /** Registered versions in the order of registration, then those of the repository. */
  readonly versions: readonly { readonly version: string; readonly state: string }[];
  /** The version that each label names. */
  readonly labels: Readonly<Record<string, string>>;
  /** ISO 8601, UTC; null for a model of the repository. */
  readonly created_at: string | null;
  readonly created_by: string | null;
}

interface ModelRow extends Omit<ModelRecord, 'created_at'> {
  readonly created_at: Date;
}

const COLUMNS = `m.name, m.revision, m.version_policy, m.created_at, m.created_by,
  (select coalesce(jsonb_agg(jsonb_build_object('version', v.version, 'state', v.state)
     order by v.created_at, v.version), '[]') from model_versions v where v.model = m.name) as versions,
  (select coalesce(jsonb_object_agg(l.label, l.version), '{}')
     from model_labels l where l.model = m.name) as labels`;

/** The models after `after`, by name, of the catalog and of the repository. */
export async function listModels(
  { store, repository }: CatalogContext,
  limit: number,
  after = '',
): Promise<readonly ModelRecord[]> {
  const rows = await store.query<ModelRow>(
    `select ${COLUMNS} from models m where m.name > $1 order by m.name limit $2`,
    [after, limit],
  );
  const stored = rows.map((row) => toRecord(row, repository));
  const names = new Set(stored.map(({ name }) => name));
  const last = stored.length === limit ? stored.at(-1)?.name : undefined;
  const others = repository
    .names()
    .filter((name) => name > after && !names.has(name) && (last === undefined || name < last));
  return [...stored, ...others.map((name) => unstored(name, repository))]
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, limit);
}

/** @throws {ServeError} `MODEL_NOT_FOUND` */
export async function findModel(
  { repository }: Pick<CatalogContext, 'repository'>,
  sql: Sql,
  name: string,
): Promise<ModelRecord> {
  const [row] = isStorable(name)
    ? await sql.query<ModelRow>(`select ${COLUMNS} from models m where m.name = $1`, [name])
    : [];
  if (row !== undefined) return toRecord(row, repository);
  if (repository.versions(name) === undefined) throw noModel(name);
  return unstored(name, repository);
}

/**
 * Changes which versions of a model are served. Those that a label or the route names are served whatever it says.
 *
 * @throws {ServeError} `MODEL_NOT_FOUND`, `STALE_REVISION`
 */
export function setVersionPolicy(
  context: CatalogContext,
  name: string,
  policy: VersionPolicy,
  author: Author,
  expected: Expected,
): Promise<ModelRecord> {
  return changeOnce(context.store, author.once, async (sql) => {
    const before = await findModel(context, sql, name);
    await touchModel(context, sql, name, author.who, expected);
    await sql.query('update models set version_policy = $2::jsonb where name = $1', [
      name,
      JSON.stringify(policy),
    ]);
    await recordEvent(sql, {
      model: name,
      who: author.who,
      what: 'set_version_policy',
      before: before.version_policy,
      after: policy,
    });
    return findModel(context, sql, name);
  });
}

/** The revisions of a model that is being changed. */
export interface Touched {
  /** The one before; 0 if nothing was stored about the model. */
  readonly present: number;
  /** The new one, which everything that the transaction changes gets. */
  readonly revision: number;
}

/**
 * Locks a model until the end of the transaction, so that its changes are made one after the other, and gives it a new
 * revision. A model of the repository is stored with its first change.
 *
 * @param expected The revision that the change expects of the model.
 * @throws {ServeError} `MODEL_NOT_FOUND`, `STALE_REVISION`
 */
export async function touchModel(
  { repository }: Pick<CatalogContext, 'repository'>,
  sql: Sql,
  name: string,
  who: string,
  expected?: Expected,
): Promise<Touched> {
  if (!isStorable(name)) throw noModel(name);
  let present = await lockModel(sql, name);
  if (present === undefined) {
    if (repository.versions(name) === undefined) throw noModel(name);
    present = await storeModel(sql, name, who);
  }
  checkRevision(expected, present, `model '${name}'`);
  const [row] = await sql.query<{ revision: number }>(
    `update models set revision = nextval('catalog_revision') where name = $1 returning revision`,
    [name],
  );
  return { present, revision: row!.revision };
}

/** Stores a model, unless it is stored, and locks it until the end of the transaction. @returns its present revision */
export async function storeModel(sql: Sql, name: string, who: string): Promise<number> {
  await sql.query(
    `insert into models (name, revision, created_by) values ($1, 0, $2) on conflict do nothing`,
    [name, who],
  );
  return (await lockModel(sql, name))!;
}

/** The revision of a model, which is locked until the end of the transaction; undefined if it is not stored. */
async function lockModel(sql: Sql, name: string): Promise<number | undefined> {
  const [row] = await sql.query<{ revision: number }>(
    'select revision from models where name = $1 for update',
    [name],
  );
  return row?.revision;
}

/** The database stores no text with NUL or lone surrogates, which names of files may hold but for NUL. */
const isStorable = (name: string): boolean => isName(name) || /^[^\0\p{Cs}]{1,255}$/u.test(name);

function toRecord(row: ModelRow, repository: RepositoryModels): ModelRecord {
  const registered = row.versions.map(({ version }) => version);
  const others = (repository.versions(row.name) ?? []).filter((v) => !registered.includes(v));
  return {
    ...row,
    versions: [...row.versions, ...others.map(ready)],
    created_at: row.created_at.toISOString(),
  };
}

function unstored(name: string, repository: RepositoryModels): ModelRecord {
  return {
    name,
    revision: 0,
    version_policy: 'all',
    versions: (repository.versions(name) ?? []).map(ready),
    labels: {},
    created_at: null,
    created_by: null,
  };
}

const ready = (version: string) => ({ version, state: 'ready' });

export const noModel = (name: string): ServeError =>
  new ServeError('MODEL_NOT_FOUND', `There is no model ${quote(name)}.`);
