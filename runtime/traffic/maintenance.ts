/** @module Deletes what is stored about requests when it is no longer needed. */

import type { Sql } from '../store/store.ts';

/** A thread that has written nothing for so long has ended. */
const WRITER_KEPT = '1 day';

/** Requests that one call deletes, more than are recorded between two calls. */
const AT_ONCE = 50_000;

/**
 * @param feedbackTtlSecs How long outcomes of a request may be reported.
 * @param keepInputs Whether inputs of disagreements may be stored.
 */
export async function deleteOldRequests(
  sql: Sql,
  feedbackTtlSecs: number,
  keepInputs: boolean,
): Promise<void> {
  await sql.query(
    `delete from answers where request_id in (
       select request_id from answers where answered_at < now() - make_interval(secs => $1)
       order by answered_at limit $2)`,
    [feedbackTtlSecs, AT_ONCE],
  );
  await sql.query(
    `delete from statistics_writers where written_at < now() - interval '${WRITER_KEPT}'`,
  );
  if (keepInputs) return;
  await sql.query('update disagreements set inputs = null where inputs is not null');
}
