/** @module Deletes what is stored about requests when it is no longer needed. */

import type { Sql } from '../store/store.ts';

/** A thread that has written nothing for so long has ended. */
const WRITER_KEPT = '1 day';

/** Requests that one statement deletes, each of which has a deadline. */
const AT_ONCE = 10_000;

/**
 * @param feedbackTtlSecs How long outcomes of a request may be reported.
 * @param keepInputs Whether inputs of disagreements may be stored.
 */
export async function deleteOldRequests(
  sql: Sql,
  feedbackTtlSecs: number,
  keepInputs: boolean,
): Promise<void> {
  while ((await deleteAnswers(sql, feedbackTtlSecs)) === AT_ONCE) {}
  await sql.query(
    `delete from statistics_writers where written_at < now() - interval '${WRITER_KEPT}'`,
  );
  if (keepInputs) return;
  await sql.query('update disagreements set inputs = null where inputs is not null');
}

/** @returns how many requests it has deleted */
async function deleteAnswers(sql: Sql, feedbackTtlSecs: number): Promise<number> {
  const [deleted] = await sql.query<{ count: number }>(
    `with gone as (
       delete from answers where request_id in (
         select request_id from answers where answered_at < now() - make_interval(secs => $1)
         order by answered_at limit $2) returning 1)
     select count(*)::int as count from gone`,
    [feedbackTtlSecs, AT_ONCE],
  );
  return deleted!.count;
}
