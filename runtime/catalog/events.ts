/** @module The audit log: who changed what, when, and what it was before. */

import type { Sql } from '../store/store.ts';
import { CATALOG_CHANNEL } from './context.ts';

/** An entry of the audit log, as clients see it. */
export interface CatalogEvent {
  readonly id: number;
  readonly model: string;
  readonly who: string;
  /** The change, such as `promote`. */
  readonly what: string;
  /** What was changed, before and after; null if it did not exist. */
  readonly before: unknown;
  readonly after: unknown;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export type NewEvent = Pick<CatalogEvent, 'model' | 'who' | 'what' | 'before' | 'after'>;

/** Records a change and announces it to all servers. Must be called in the transaction of the change. */
export async function recordEvent(sql: Sql, event: NewEvent): Promise<void> {
  const { model, who, what, before, after } = event;
  await sql.query(
    `with recorded as (
       insert into catalog_events (model, who, what, before, after)
       values ($1, $2, $3, nullif($4::jsonb, 'null'), nullif($5::jsonb, 'null')))
     select pg_notify($6, $1)`,
    [
      model,
      who,
      what,
      JSON.stringify(before ?? null),
      JSON.stringify(after ?? null),
      CATALOG_CHANNEL,
    ],
  );
}

/**
 * The events of a model, or of all models, the newest first.
 *
 * @param before Only events that are older than the one with this id.
 */
export async function listEvents(
  sql: Sql,
  model: string | undefined,
  limit: number,
  before: number | undefined,
): Promise<readonly CatalogEvent[]> {
  // Two texts, because with one for both the database could not use the index.
  const ofModel = model === undefined ? '$1::text is null' : 'model = $1';
  const rows = await sql.query<CatalogEvent & { at: Date }>(
    `select id, model, who, what, before, after, at from catalog_events
     where ${ofModel} and id < $2 order by id desc limit $3`,
    [model ?? null, before ?? Number.MAX_SAFE_INTEGER, limit],
  );
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}
