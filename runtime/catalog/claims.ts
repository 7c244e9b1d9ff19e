/**
 * Versions on which a server works: it claims one, renews its lease, and ends the claim with the outcome. Each of these
 * steps may be repeated if its outcome is not known, because a connection was cut.
 *
 * If the server dies, the lease runs out, and the version is rejected and may be registered again. The number of a claim
 * tells it from a later one of the same name.
 *
 * @module
 */

import { isDeepStrictEqual } from 'node:util';
import { ServeError } from '../errors.ts';
import type { Sql, Store } from '../store/store.ts';
import type { CatalogContext } from './context.ts';
import { recordEvent } from './events.ts';
import { discardArtifact, withArtifactLock } from './garbage.ts';
import { storeModel } from './models.ts';
import type { ProbeResult } from './probe.ts';
import { readVersion, summary, type VersionRecord } from './versions.ts';

/** What is registered, besides the files. The names and the configuration are checked by the caller. */
export interface Registration {
  readonly model: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The content of a `model.json`; undefined to use the one among the files. */
  readonly config: unknown;
  /** The bundle that signs the files; undefined if they are not signed. */
  readonly signature: unknown;
}

/** The files that are registered, by what was found out about them. */
export interface Content {
  readonly digest: string;
  readonly bytes: number;
  readonly signatureStatus: 'verified' | 'unsigned' | 'invalid';
}

/** A version that this server works on. */
export interface Claim extends Registration {
  readonly number: number;
  readonly who: string;
}

/** How a claim ends. */
export type Outcome =
  | {
      readonly state: 'ready';
      readonly found: ProbeResult;
      /** What an operator should know about it. */
      readonly warning: string | undefined;
    }
  | { readonly state: 'rejected'; readonly reason: string };

/** How long a version stays claimed without a sign of life of its server, seconds. */
const LEASE_SECS = 60;

/**
 * Records a version, which must happen before its artifact is stored (`garbage.ts`).
 *
 * @returns The claim, or the version if it was registered before with the same content.
 * @throws {ServeError} `CONFLICT` if it exists with other content, or its name is taken for good
 */
export function claimVersion(
  { store, repository }: CatalogContext,
  claim: Claim,
  content: Content,
): Promise<Claim | VersionRecord> {
  const { model, version, who } = claim;
  if (repository.versions(model)?.includes(version) === true) {
    throw conflict(claim, 'lies in MODEL_PATH; choose another name');
  }
  return withArtifactLock(store, content.digest, () =>
    store.transaction(async (sql) => {
      await storeModel(sql, model, who);
      const before = await readVersion(sql, model, version);
      if (before !== undefined) {
        const { number, isFree } = await standingOf(sql, before);
        if (number === claim.number) return claim;
        if (!isFree) {
          refuseOther(claim, before, content.digest);
          return before;
        }
        await discardArtifact(sql, before.digest!);
      }
      await refuseLabel(sql, claim);
      await insertVersion(sql, claim, content);
      const after = { version, state: 'registered', digest: content.digest };
      await recordEvent(sql, {
        ...{ model, who, what: 'register', after },
        before: before && summary(before),
      });
      return claim;
    }),
  );
}

async function insertVersion(sql: Sql, claim: Claim, content: Content): Promise<void> {
  const { model, version, number, who, metadata, config, signature } = claim;
  const { digest, bytes, signatureStatus } = content;
  const json = [signature, metadata, config].map((each) => JSON.stringify(each ?? null));
  await sql.query(
    `with touched as (update models set revision = $3 where name = $1)
     insert into model_versions (model, version, state, claim, lease_until, digest, bytes,
       signature_status, signature, metadata, config, created_by)
     values ($1, $2, 'registered', $3, now() + make_interval(secs => $4), $5, $6, $7,
       nullif($8::jsonb, 'null'), $9::jsonb, nullif($10::jsonb, 'null'), $11)
     on conflict (model, version) do update set (state, claim, lease_until, digest, bytes,
       signature_status, signature, metadata, config, created_by, created_at, reason) =
       (excluded.state, excluded.claim, excluded.lease_until, excluded.digest, excluded.bytes,
       excluded.signature_status, excluded.signature, excluded.metadata, excluded.config,
       excluded.created_by, now(), null)`,
    [model, version, number, LEASE_SECS, digest, bytes, signatureStatus, ...json, who],
  );
}

/** Renews the lease of a claim, and changes its state if one is given. */
export async function renewClaim(
  store: Store,
  { model, version, number }: Claim,
  state?: 'validating',
): Promise<void> {
  await store.query(
    `update model_versions set state = coalesce($4, state),
       lease_until = now() + make_interval(secs => $5)
     where model = $1 and version = $2 and claim = $3 and lease_until is not null`,
    [model, version, number, state ?? null, LEASE_SECS],
  );
}

/** Records the outcome of a claim. @throws {ServeError} `CONFLICT` if the lease has run out and the version was rejected */
export function endClaim(store: Store, claim: Claim, outcome: Outcome): Promise<VersionRecord> {
  const { model, version, number, who } = claim;
  const { inputs, outputs, costs } = outcome.state === 'ready' ? outcome.found : NOTHING_FOUND;
  const reason = outcome.state === 'rejected' ? outcome.reason : (outcome.warning ?? null);
  return store.transaction(async (sql) => {
    await storeModel(sql, model, who);
    const before = await readVersion(sql, model, version);
    const ended = await sql.query(
      `with touched as (update models set revision = nextval('catalog_revision') where name = $1)
       update model_versions set state = $4, reason = $5, lease_until = null,
         inputs = nullif($6::jsonb, 'null'), outputs = nullif($7::jsonb, 'null'),
         costs = nullif($8::jsonb, 'null')
       where model = $1 and version = $2 and claim = $3 and lease_until is not null
       returning version`,
      [
        ...[model, version, number, outcome.state, reason],
        ...[inputs, outputs, costs].map((each) => JSON.stringify(each)),
      ],
    );
    const after = (await readVersion(sql, model, version))!;
    if (ended.length === 0) {
      const isRepeated = (await standingOf(sql, after)).number === number;
      if (isRepeated && after.state === outcome.state) return after;
      throw conflict(claim, 'was given up, because its server did not respond; register it again');
    }
    if (outcome.state === 'rejected') await discardArtifact(sql, after.digest!);
    await recordEvent(sql, {
      ...{ model, who, what: outcome.state === 'ready' ? 'ready' : 'reject' },
      before: before && summary(before),
      after: summary(after),
    });
    return after;
  });
}

const NOTHING_FOUND = { inputs: null, outputs: null, costs: null };

/** Rejects the versions whose servers have died. */
export async function rejectAbandoned({ store }: CatalogContext): Promise<void> {
  const late = await store.query<{ model: string; version: string; claim: number }>(
    'select model, version, claim from model_versions where lease_until < now() limit 100',
  );
  for (const each of late) await store.transaction((sql) => rejectOne(sql, each));
}

async function rejectOne(
  sql: Sql,
  { model, version, claim }: { model: string; version: string; claim: number },
): Promise<void> {
  // The model is locked first, as by every other change of it.
  await sql.query(`update models set revision = nextval('catalog_revision') where name = $1`, [
    model,
  ]);
  const reason = 'The server that validated it has stopped; register it again.';
  const [ended] = await sql.query<{ digest: string }>(
    `update model_versions set state = 'rejected', reason = $4, lease_until = null
     where model = $1 and version = $2 and claim = $3 and lease_until < now() returning digest`,
    [model, version, claim, reason],
  );
  if (ended === undefined) return;
  await discardArtifact(sql, ended.digest);
  const after = { version, state: 'rejected', digest: ended.digest, reason };
  await recordEvent(sql, { model, who: 'server', what: 'reject', before: undefined, after });
}

/** Who works on a version. */
export interface Standing {
  /** The number of its claim. */
  readonly number: number;
  /** Whether its name may be registered again: it was rejected, or its server has died. */
  readonly isFree: boolean;
}

export async function standingOf(sql: Sql, { name, version }: VersionRecord): Promise<Standing> {
  const [row] = await sql.query<{ number: number; free: boolean }>(
    `select claim as number, state = 'rejected' or coalesce(lease_until < now(), false) as free
     from model_versions where model = $1 and version = $2`,
    [name, version],
  );
  return { number: row!.number, isFree: row!.free };
}

/** @throws {ServeError} `CONFLICT` unless the version has the content of the registration */
function refuseOther(registration: Registration, before: VersionRecord, digest: string): void {
  if (before.state === 'archived') {
    throw conflict(registration, 'was archived, and its name is never used again; choose another');
  }
  if (before.digest !== digest) {
    throw conflict(registration, 'exists with another content; choose another name');
  }
  if (!isDeepStrictEqual(registration.config ?? null, before.config)) {
    throw conflict(registration, 'exists with another configuration; choose another name');
  }
}

/** @throws {ServeError} `CONFLICT` if a label has the name of the version, so that a request could mean either */
async function refuseLabel(sql: Sql, registration: Registration): Promise<void> {
  const { model, version } = registration;
  const labels = await sql.query('select 1 from model_labels where model = $1 and label = $2', [
    model,
    version,
  ]);
  if (labels.length > 0) throw conflict(registration, 'has the name of a label; choose another');
}

const conflict = ({ model, version }: Registration, what: string): ServeError =>
  new ServeError('CONFLICT', `Version '${version}' of model '${model}' ${what}.`);
