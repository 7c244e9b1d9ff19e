/** @module Writes what an HTTP thread has counted to the database. */

import type { Sql, Store } from '../store/store.ts';
import { type ArmCounts, type Batch, MAX_DISAGREEMENTS } from './counters.ts';
import { storableJson } from './storable-json.ts';

/**
 * Adds a batch to the statistics, unless it was added before: a statement that failed may have been carried out, and is
 * repeated with the same number.
 *
 * @param writer Identifies the thread.
 * @param number Number of the batch, higher than those of the thread before.
 * @throws {ServeError} as the store does
 */
export async function writeBatch(
  store: Store,
  writer: string,
  number: number,
  batch: Batch,
): Promise<void> {
  await store.transaction(async (sql) => {
    const claimed = await sql.query(
      `insert into statistics_writers as w (writer, batch) values ($1, $2)
       on conflict (writer) do update set batch = excluded.batch, written_at = now()
         where w.batch < excluded.batch
       returning batch`,
      [writer, number],
    );
    if (claimed.length === 0) return;
    await writeArms(sql, batch.arms);
    await writeLatencies(sql, batch.arms);
    await writeAnswers(sql, batch);
    await writeDisagreements(sql, batch);
  });
}

/** Rows of an experiment that is over are not written. */
const CURRENT = 'given.period >= coalesce(e.first_period, 0)';

// The rows are sorted, because two threads that lock the same rows in different orders would wait for each other.
async function writeArms(sql: Sql, arms: readonly ArmCounts[]): Promise<void> {
  await sql.query(
    `insert into arms as a (model, period, arm, version, requests, errors, confidences,
       confidence_sum, compared, agreed, max_abs_difference)
     select model, period, arm, version, requests, errors, confidences,
       "confidenceSum", compared, agreed, "maxAbsDifference"
     from jsonb_to_recordset($1::jsonb) as given (model text, period bigint, arm text, version text,
       requests bigint, errors bigint, confidences bigint, "confidenceSum" float8,
       compared bigint, agreed bigint, "maxAbsDifference" float8)
     left join experiments e using (model) where ${CURRENT}
     order by model, period, arm, version
     on conflict (model, period, arm, version) do update set
       requests = a.requests + excluded.requests,
       errors = a.errors + excluded.errors,
       confidences = a.confidences + excluded.confidences,
       confidence_sum = a.confidence_sum + excluded.confidence_sum,
       compared = a.compared + excluded.compared,
       agreed = a.agreed + excluded.agreed,
       max_abs_difference = greatest(a.max_abs_difference, excluded.max_abs_difference)`,
    [storableJson(arms.map(({ latencies: _, ...counts }) => counts))],
  );
}

async function writeLatencies(sql: Sql, arms: readonly ArmCounts[]): Promise<void> {
  const rows = arms.flatMap(({ model, period, arm, version, latencies }) =>
    [...latencies].flatMap((requests, bucket) =>
      requests === 0 ? [] : [{ model, period, arm, version, bucket, requests }],
    ),
  );
  await sql.query(
    `insert into arm_latencies as a (model, period, arm, version, bucket, requests)
     select model, period, arm, version, bucket, requests
     from jsonb_to_recordset($1::jsonb) as given (model text, period bigint, arm text, version text,
       bucket int, requests bigint)
     left join experiments e using (model) where ${CURRENT}
     order by model, period, arm, version, bucket
     on conflict (model, period, arm, version, bucket)
       do update set requests = a.requests + excluded.requests`,
    [storableJson(rows)],
  );
}

/** Rows of one statement, each of which has a deadline. */
const ROWS_AT_ONCE = 2000;

async function writeAnswers(sql: Sql, { answers }: Batch): Promise<void> {
  const rows = answers.map(({ requestId, arm: { model, period, arm, version }, prediction }) => ({
    ...{ request_id: requestId, model, period, arm, version, prediction },
  }));
  for (let first = 0; first < rows.length; first += ROWS_AT_ONCE) {
    // Clients may choose ids, so that two requests can have the same one; then the first counts.
    await sql.query(
      `insert into answers (request_id, model, period, arm, version, prediction, answered_at)
       select request_id, model, period, arm, version, prediction, now()
       from jsonb_to_recordset($1::jsonb) as given (request_id text, model text, period bigint,
         arm text, version text, prediction jsonb)
       left join experiments e using (model) where ${CURRENT}
       order by request_id
       on conflict do nothing`,
      [storableJson(rows.slice(first, first + ROWS_AT_ONCE))],
    );
  }
}

async function writeDisagreements(sql: Sql, { disagreements }: Batch): Promise<void> {
  if (disagreements.length === 0) return;
  await sql.query(
    `insert into disagreements (model, period, request_id, version, shadow, max_abs_difference,
       outputs, shadow_outputs, inputs)
     select model, period, "requestId", version, shadow, "maxAbsDifference",
       outputs, "shadowOutputs", inputs
     from jsonb_to_recordset($1::jsonb) as given (model text, period bigint, "requestId" text,
       version text, shadow text, "maxAbsDifference" float8, outputs jsonb, "shadowOutputs" jsonb,
       inputs jsonb)
     left join experiments e using (model) where ${CURRENT}`,
    [storableJson(disagreements)],
  );
  for (const model of new Set(disagreements.map((each) => each.model))) {
    await sql.query(
      `delete from disagreements where model = $1 and id <=
         (select id from disagreements where model = $1 order by id desc offset $2 limit 1)`,
      [model, MAX_DISAGREEMENTS],
    );
  }
}
