/** @module Reads from the database what is to be served. */

import { sortVersions } from '../repository/index.ts';
import { versionsOf } from '../routing/route.ts';
import type { Sql, Store } from '../store/store.ts';
import type { CatalogContext } from './context.ts';
import type { VersionPolicy } from './models.ts';
import type { CatalogModel, CatalogSnapshot, CatalogVersion } from './snapshot.ts';
import type { EffectiveRoute } from './traffic.ts';

interface ReadyRow extends Omit<CatalogVersion, 'path'> {
  readonly model: string;
  readonly version_policy: VersionPolicy;
}

interface LabelRow {
  readonly model: string;
  readonly label: string;
  readonly version: string;
}

/** What the catalog serves, as of one moment. The paths of the versions are still empty. */
export function readSnapshot({ store, routes }: CatalogContext): Promise<CatalogSnapshot> {
  return atOneMoment(store, async (sql) => {
    const ready = await sql.query<ReadyRow>(
      `select v.model, v.version, v.digest, v.config, v.signature, m.version_policy
       from model_versions v join models m on m.name = v.model where v.state = 'ready'`,
    );
    const labels = await sql.query<LabelRow>('select model, label, version from model_labels');
    return compose(ready, labels, await routes.effective(sql));
  });
}

/** Runs queries that see the same state of the database. */
function atOneMoment<Result>(store: Store, work: (sql: Sql) => Promise<Result>): Promise<Result> {
  return store.transaction(async (sql) => {
    await sql.query('set transaction isolation level repeatable read, read only');
    return work(sql);
  });
}

function compose(
  ready: readonly ReadyRow[],
  labels: readonly LabelRow[],
  routes: readonly EffectiveRoute[],
): CatalogSnapshot {
  const readyOf = byModel(ready);
  const labelsOf = byModel(labels);
  const routeOf = new Map(routes.map((route) => [route.model, route]));
  const names = new Set([...readyOf.keys(), ...labelsOf.keys(), ...routeOf.keys()]);
  const models = [...names].toSorted().map((name): CatalogModel => {
    const named = (labelsOf.get(name) ?? []).map(({ label, version }) => [label, version]);
    const effective = routeOf.get(name);
    const used = [
      ...named.map(([, version]) => version!),
      ...(effective === undefined ? [] : versionsOf(effective.route)),
    ];
    return {
      name,
      versions: chosen(readyOf.get(name) ?? [], used),
      labels: Object.fromEntries(named),
      route: effective?.route,
      routeSource: effective?.source,
    };
  });
  return { models };
}

function byModel<T extends { readonly model: string }>(rows: readonly T[]): Map<string, T[]> {
  const grouped = new Map<string, T[]>();
  for (const row of rows) {
    const group = grouped.get(row.model);
    if (group === undefined) grouped.set(row.model, [row]);
    else group.push(row);
  }
  return grouped;
}

/** The versions that the policy of their model chooses, and those in use, oldest first. */
function chosen(rows: readonly ReadyRow[], used: readonly string[]): readonly CatalogVersion[] {
  const sorted = sortVersions(rows, ({ version }) => version);
  const policy = sorted[0]?.version_policy ?? 'all';
  const isChosen = ({ version }: ReadyRow, index: number) => {
    if (policy === 'all' || used.includes(version)) return true;
    return 'latest' in policy
      ? index >= sorted.length - policy.latest
      : policy.specific.includes(version);
  };
  return sorted.filter(isChosen).map(({ version, digest, config, signature }) => {
    return { version, digest, config, signature, path: '' };
  });
}
