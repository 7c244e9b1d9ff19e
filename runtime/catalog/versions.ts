/** @module The registered versions of models: how they are listed, archived and purged. */

import { quote } from '../../native/index.ts';
import { ServeError } from '../errors.ts';
import type { Sql } from '../store/store.ts';
import type { CatalogContext, RepositoryModels } from './context.ts';
import { recordEvent } from './events.ts';
import { discardArtifact } from './garbage.ts';
import { findModel, touchModel } from './models.ts';
import { isName } from './names.ts';
import { type Author, changeOnce } from './once.ts';
import type { Expected } from './revision.ts';
import type { RouteUse } from './traffic.ts';

/**
 * `registered`: recorded, and will be tried; `validating`: it is being tried, and then stored. A `rejected` version does not
 * occupy its name, an `archived` one does for ever.
 */
export type VersionState = 'registered' | 'validating' | 'ready' | 'rejected' | 'archived';

/** An input or output of a version. */
export interface TensorRecord {
  readonly name: string;
  readonly datatype: string;
  /** -1 is any size. */
  readonly shape: readonly number[];
}

/** What a run took when the version was tried. */
export interface CostRecord {
  readonly rows: number;
  readonly ms: number;
}

/** A version, as clients see it. Of a version of the repository only name and state are known. */
export interface VersionRecord {
  readonly name: string;
  readonly version: string;
  readonly state: VersionState;
  /** Why it was rejected, or what an operator should know. */
  readonly reason: string | null;
  /** `sha256:` and hexadecimal digits. */
  readonly digest: string | null;
  readonly bytes: number | null;
  readonly signature_status: 'verified' | 'unsigned' | 'invalid' | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly config: unknown;
  readonly inputs: readonly TensorRecord[] | null;
  readonly outputs: readonly TensorRecord[] | null;
  readonly costs: readonly CostRecord[] | null;
  /** Whether the artifact is freed. */
  readonly purged: boolean;
  /** ISO 8601, UTC. */
  readonly created_at: string | null;
  readonly created_by: string | null;
  /** That of its model. */
  readonly revision: number;
}

interface VersionRow extends Omit<VersionRecord, 'created_at'> {
  readonly created_at: Date;
}

const COLUMNS = `model as name, version, state, reason, digest, bytes, signature_status, metadata,
  config, inputs, outputs, costs, purged_at is not null as purged, created_at, created_by,
  (select m.revision from models m where m.name = model) as revision`;

/**
 * The versions of a model after `after`, in the order of their names.
 *
 * @throws {ServeError} `MODEL_NOT_FOUND`
 */
export async function listVersions(
  context: CatalogContext,
  model: string,
  limit: number,
  after = '',
): Promise<readonly VersionRecord[]> {
  const { store, repository } = context;
  const { versions, revision } = await findModel(context, store, model);
  const rows = await store.query<VersionRow>(
    `select ${COLUMNS} from model_versions where model = $1 and version > $2
     order by version limit $3`,
    [model, after, limit],
  );
  const registered = new Set(rows.map(({ version }) => version));
  const others = versions.filter(
    ({ version }) =>
      !registered.has(version) &&
      version > after &&
      isRepositoryVersion(repository, model, version),
  );
  return [
    ...rows.map(toRecord),
    ...others.map(({ version }) => unregistered(model, version, revision)),
  ]
    .toSorted((a, b) => (a.version < b.version ? -1 : 1))
    .slice(0, limit);
}

/** @throws {ServeError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND` */
export async function findVersion(
  context: Pick<CatalogContext, 'repository'>,
  sql: Sql,
  model: string,
  version: string,
): Promise<VersionRecord> {
  const row = await readVersion(sql, model, version);
  if (row !== undefined) return row;
  const { revision } = await findModel(context, sql, model);
  if (!isRepositoryVersion(context.repository, model, version)) throw noVersion(model, version);
  return unregistered(model, version, revision);
}

/** A registered version; undefined if there is none. */
export async function readVersion(
  sql: Sql,
  model: string,
  version: string,
): Promise<VersionRecord | undefined> {
  if (!isName(model) || !isName(version)) return undefined;
  const [row] = await sql.query<VersionRow>(
    `select ${COLUMNS} from model_versions where model = $1 and version = $2`,
    [model, version],
  );
  return row && toRecord(row);
}

/**
 * Checks that requests can be sent to a version. Must be called in the transaction that makes a label or a route name it,
 * after `touchModel`.
 *
 * @throws {ServeError} `VERSION_NOT_FOUND`; `CONFLICT` with its state if it is not ready
 */
export async function checkReady(
  context: Pick<CatalogContext, 'repository'>,
  sql: Sql,
  model: string,
  version: string,
): Promise<void> {
  const { state } = await findVersion(context, sql, model, version);
  if (state === 'ready') return;
  const why = `Version '${version}' of model '${model}' is ${state}, so it cannot serve requests.`;
  throw new ServeError('CONFLICT', why);
}

/**
 * Archives a version, which stays in the list and keeps its name, and with `purge` also frees its artifact.
 *
 * @throws {ServeError} `MODEL_NOT_FOUND`, `VERSION_NOT_FOUND`, `STALE_REVISION`; `CONFLICT` while a label or the route
 * names it, while it is being validated, or if it lies in the repository
 */
export function archiveVersion(
  context: CatalogContext,
  model: string,
  version: string,
  purge: boolean,
  author: Author,
  expected: Expected,
): Promise<VersionRecord> {
  return changeOnce(context.store, author.once, async (sql) => {
    await touchModel(context, sql, model, author.who, expected);
    const before = await findVersion(context, sql, model, version);
    if (before.digest === null) {
      throw conflict(`${named(before)} lies in MODEL_PATH; remove its folder there instead.`);
    }
    if (before.state === 'registered' || before.state === 'validating') {
      throw conflict(`${named(before)} is being validated; wait until it is ready or rejected.`);
    }
    await refuseUsed(context, sql, before);
    const isPurged = purge || before.purged;
    if (before.state === 'archived' && isPurged === before.purged) return before;
    await sql.query(
      `update model_versions set state = 'archived',
         purged_at = case when $3 then coalesce(purged_at, now()) end
       where model = $1 and version = $2`,
      [model, version, isPurged],
    );
    if (purge) await discardArtifact(sql, before.digest);
    const after = { ...before, state: 'archived' as const, purged: isPurged };
    await recordEvent(sql, {
      model,
      who: author.who,
      what: purge ? 'purge' : 'archive',
      before: summary(before),
      after: summary(after),
    });
    return after;
  });
}

/** A version as the audit log shows it. */
export const summary = ({ version, state, digest, reason }: VersionRecord) => ({
  version,
  state,
  digest,
  ...(reason === null ? {} : { reason }),
});

const USES: Readonly<Record<RouteUse, string>> = {
  weight: 'the route gives it requests',
  canary: 'it is the canary of the route',
  shadow: 'it is the shadow of the route',
};

/** @throws {ServeError} `CONFLICT` */
async function refuseUsed(
  { routes }: CatalogContext,
  sql: Sql,
  record: VersionRecord,
): Promise<void> {
  const { name, version } = record;
  const labels = await sql.query<{ label: string }>(
    'select label from model_labels where model = $1 and version = $2 order by label',
    [name, version],
  );
  const uses = await routes.uses(sql, name, version);
  const reasons = [
    ...labels.map(({ label }) => `the label '${label}' names it`),
    ...uses.map((use) => USES[use]),
  ];
  if (reasons.length === 0) return;
  throw conflict(`${named(record)} is in use: ${reasons.join(', ')}; change that first.`);
}

const toRecord = (row: VersionRow): VersionRecord => ({
  ...row,
  created_at: row.created_at.toISOString(),
});

const isRepositoryVersion = (repository: RepositoryModels, model: string, version: string) =>
  repository.versions(model)?.includes(version) === true;

/** A version that lies in the folder `MODEL_PATH`. */
const unregistered = (name: string, version: string, revision: number): VersionRecord => ({
  name,
  version,
  state: 'ready',
  reason: null,
  digest: null,
  bytes: null,
  signature_status: null,
  metadata: {},
  config: null,
  inputs: null,
  outputs: null,
  costs: null,
  purged: false,
  created_at: null,
  created_by: null,
  revision,
});

const named = ({ name, version }: VersionRecord) => `Version '${version}' of model '${name}'`;

const conflict = (message: string) => new ServeError('CONFLICT', message);

const noVersion = (model: string, version: string): ServeError =>
  new ServeError('VERSION_NOT_FOUND', `Model '${model}' has no version ${quote(version)}.`);
