/** @module Joins the outcomes of requests that are reported later to the arms that responded. */

import { invalidArgument, ServeError } from '../errors.ts';
import type { Store } from '../store/store.ts';

/** The outcome of a request. Of several reports about one request the last counts. */
export interface Outcome {
  readonly requestId: string;
  /** What the prediction should have been: a value, or a list of them for many rows. */
  readonly truth?: unknown;
  /** How good the response was, in any unit; higher is better. */
  readonly reward?: number | undefined;
}

/** The arm that an outcome was counted for. */
export interface Joined {
  readonly model: string;
  readonly version: string;
  readonly arm: string;
}

interface AnswerRow extends Joined {
  readonly period: number;
  readonly prediction: unknown;
  readonly judged: number | null;
  readonly correct: number | null;
  readonly reward: number | null;
}

/**
 * Counts an outcome for the arm that responded to the request.
 *
 * @returns undefined if no such request is recorded
 * @throws {ServeError} `INVALID_ARGUMENT` if the truth does not fit the prediction
 */
export function joinOutcome(
  store: Store,
  { requestId, truth, reward }: Outcome,
): Promise<Joined | undefined> {
  return store.transaction(async (sql) => {
    const [row] = await sql.query<AnswerRow>(
      `select model, version, arm, period, prediction, judged, correct, reward
       from answers a left join experiments e using (model)
       where request_id = $1 and period >= coalesce(first_period, 0) for update of a`,
      [requestId],
    );
    if (row === undefined) return undefined;
    const verdict = truth === undefined ? undefined : judge(row.prediction, truth);
    const { model, version, arm, period } = row;
    const after = {
      judged: verdict?.judged ?? row.judged,
      correct: verdict?.correct ?? row.correct,
      reward: reward ?? row.reward,
    };
    await sql.query(
      'update answers set judged = $2, correct = $3, reward = $4 where request_id = $1',
      [requestId, after.judged, after.correct, after.reward],
    );
    const isFirst = row.judged === null && row.reward === null;
    const change = (of: (row: Counted) => number) => of(after) - of(row);
    await sql.query(
      `update arms set outcomes = outcomes + $5, judged = judged + $6, correct = correct + $7,
         rewards = rewards + $8, reward_sum = reward_sum + $9, reward_squares = reward_squares + $10
       where (model, period, arm, version) = ($1, $2, $3, $4)`,
      [
        ...[model, period, arm, version],
        isFirst ? 1 : 0,
        change(({ judged }) => judged ?? 0),
        change(({ correct }) => correct ?? 0),
        change(({ reward: value }) => (value === null ? 0 : 1)),
        change(({ reward: value }) => value ?? 0),
        change(({ reward: value }) => (value ?? 0) ** 2),
      ],
    );
    return { model, version, arm };
  });
}

type Counted = Pick<AnswerRow, 'judged' | 'correct' | 'reward'>;

/** @throws {ServeError} `NOT_FOUND` */
export function unknownRequest(): ServeError {
  return new ServeError(
    'NOT_FOUND',
    'There is no such request_id: outcomes can be reported for a limited time, and of requests that the present route of a model has given to one of its versions.',
  );
}

/** How many predictions of a response the truth can be compared with, and how many are right. @throws {ServeError} */
function judge(prediction: unknown, truth: unknown) {
  if (prediction === null) {
    const message = 'The response to this request has no prediction that is kept; report a reward.';
    throw invalidArgument(message);
  }
  const predictions = Array.isArray(prediction) ? prediction : [prediction];
  const truths = Array.isArray(truth) ? truth : [truth];
  if (predictions.length !== truths.length) {
    throw invalidArgument(
      `The response has ${predictions.length} predictions, and truth has ${truths.length}; give one for each.`,
    );
  }
  // Labels may be numbers that the client writes as strings.
  const correct = predictions.filter((each, i) => String(each) === String(truths[i])).length;
  return { judged: predictions.length, correct };
}
