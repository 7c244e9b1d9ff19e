/**
 * The steps that every infer request passes in order, whatever its protocol and task: resolve → prepare →
 * look up → run → respond, with further rounds of runs where a task needs them. Read this file first;
 * .github/decisions/0021 says why there is one pipeline.
 *
 * @module
 */

import type { CancelSignal, PoolOptions, RunResult, Tensors, Timings } from '../native/index.ts';
import type { HeaderReader, Principal } from './access.ts';
import type { BodyShare } from './body-budget.ts';
import type {
  CacheAnswer,
  CacheOutcome,
  CacheRequest,
  RememberedKey,
  ResponseCache,
} from './cache/index.ts';
import { fromEngine } from './errors.ts';
import { type ModelVersion, type OnTokens, type VersionRunOptions, withPool } from './model.ts';
import { allowedTimeout } from './repository/index.ts';
import type { ArmTraffic, Predicted, Recipient } from './routing/arm-traffic.ts';
import type { RouteContext, RouteTable } from './routing/route-table.ts';
import { Pace, runTogether } from './run-together.ts';
import { addTimings, joinTimings } from './timings.ts';

/** The client that waits for the response, and how long it waits. */
export interface Caller extends Recipient {
  /** Milliseconds until the client's deadline, at the time of the call; undefined if it has set none. */
  timeLeft(): number | undefined;
  /** Aborts when the client no longer waits for the response. */
  readonly signal: CancelSignal | undefined;
  /** Who waits, as the credentials say; undefined for an anonymous caller. */
  readonly principal?: Principal | undefined;
  /** Headers of the request, or metadata of a call. */
  readonly headers?: HeaderReader | undefined;
  /** Set to how the cache has taken part so far, before anything is sent to the client; undefined if it has not. */
  cache?: CacheOutcome | undefined;
}

/** A request as tensors. */
export interface Prepared<Context> {
  /** The inputs of each run: one, several if a run takes a single row, or none. The engine checks them. */
  readonly runs: readonly Tensors[];
  /** Names of the requested outputs; undefined means all. */
  readonly outputs: readonly string[] | undefined;
  /** Whether outputs of strings are returned as bytes, in `RunResult.packedStrings`; otherwise they must be UTF-8. */
  readonly packStrings?: boolean;
  /** 1 is the most urgent level; 0 or undefined means the model's default one. */
  readonly priority?: number | undefined;
  /** Queue timeout that the request sets, milliseconds; the model's queue policy may override it. */
  readonly queueTimeoutMs?: number | undefined;
  /** How an output of each run is pooled, in the order of the runs; undefined means not at all. */
  readonly pooling?: readonly PoolOptions[] | undefined;
  /** Set if this object is used for several requests: the cache keeps their common key in it. */
  readonly remembered?: RememberedKey | undefined;
  /** The owner of the inputs' memory, which is lent to the engine for the runs. */
  readonly share?: BodyShare;
  /** Receives the tokens of a model that generates text as they are made; none come from the cache. */
  readonly onTokens?: OnTokens | undefined;
  /** What `respond` needs to know about the request. */
  readonly context: Context;
}

/** The results of the runs of a request. */
export interface Outcome<Context> {
  readonly version: ModelVersion;
  /** The result of each run, in the order of the runs. Nothing may write to them, because they may be cached. */
  readonly results: readonly RunResult[];
  /** The times of the runs, which may have been made for an earlier request. */
  readonly timings: Timings;
  readonly context: Context;
}

/** The steps in which kinds of requests differ. The client receives the errors that they throw. */
export interface InferenceSteps<Request, Context, Response> {
  /** The model and version that the request names. */
  route(request: Request): RouteContext;
  /** Checks the request against the chosen version, and converts it to tensors. */
  prepare(request: Request, version: ModelVersion): Prepared<Context> | Promise<Prepared<Context>>;
  /**
   * The runs to make on the results so far, such as a summary of summaries; undefined if they are the last. Default: there
   * is one round.
   */
  next?(
    outcome: Outcome<Context>,
    request: Request,
  ): Prepared<Context> | undefined | Promise<Prepared<Context> | undefined>;
  /** Converts the outputs to the response. */
  respond(outcome: Outcome<Context>, request: Request): Response | Promise<Response>;
  /** The JSON of the body, where the key of a sticky split may be. Default: the body is not JSON. */
  body?(request: Request): unknown;
  /** What the response predicts. Default: it does not say so in a form that can be compared. */
  predicted?(response: Response, request: Request): Predicted | undefined;
}

/** A response, with the values that are recorded about it. */
export interface Inference<Response> {
  readonly response: Response;
  readonly version: ModelVersion;
  /** What the request itself has waited for. */
  readonly timings: Timings;
  /** Most rows in a batch of the version. */
  readonly maxRows: number;
  /** How the cache took part; undefined if the version is not cached. */
  readonly cache: CacheOutcome | undefined;
}

/** What the requests of one HTTP thread are served with. */
export interface Serving {
  readonly routes: RouteTable;
  readonly arms: ArmTraffic;
  readonly cache: ResponseCache;
}

/**
 * Serves one request. Its version is resolved once, and stays loaded until the response is made. The caller
 * holds a permit, and records the response.
 *
 * @throws {ServeError} for every failure; it throws no other error.
 */
export async function infer<Request, Context, Response>(
  { routes, arms, cache }: Serving,
  steps: InferenceSteps<Request, Context, Response>,
  request: Request,
  caller: Caller,
): Promise<Inference<Response>> {
  const choice = routes.resolve(steps.route(request), caller, () => steps.body?.(request));
  const trial = arms.begin(choice, caller);
  let version: ModelVersion | undefined;
  let share: BodyShare | undefined;
  try {
    version = choice.hold();
    const step = steps.prepare(request, version);
    const prepared = step instanceof Promise ? await step : step;
    const copying = trial?.copy(steps, request);
    if (copying !== undefined) await copying;
    const options = runOptions(version, prepared, caller);
    share = prepared.share;
    // Before the look-up: another request may wait for the run, which then outlives this one and reads its inputs.
    share?.lend();
    const found = lookUp(cache, version, prepared, options, caller);
    const answer = found instanceof Promise ? await found : found;
    const { context } = prepared;
    const results = answer?.results ?? (await runAll(version, prepared, options));
    share?.reclaim();
    const timings = joinTimings(results);
    const waited = answer?.timings ?? timings;
    const first = { version, results, timings, waited, cache: answer?.cache, context };
    caller.cache = first.cache;
    const outcome =
      steps.next === undefined ? first : await lastRound(cache, steps, first, request, caller);
    const made = steps.respond(outcome, request);
    const response = made instanceof Promise ? await made : made;
    trial?.succeeded(version, outcome.results, steps.predicted?.(response, request));
    const { maxRows } = version.signature.batching;
    return { response, version, timings: outcome.waited, maxRows, cache: outcome.cache };
  } catch (thrown) {
    const error = fromEngine(thrown);
    // After an abort or a deadline the engine may still read the inputs, but not those that it refuses.
    if (error.code === 'INVALID_ARGUMENT') share?.reclaim();
    trial?.failed(error);
    throw error;
  } finally {
    version?.release();
  }
}

/** The outcome of all rounds so far. */
interface Rounds<Context> extends Outcome<Context> {
  /** What the request itself has waited for: nothing for results of the cache. */
  readonly waited: Timings;
  /** How the cache took part in all of them. */
  readonly cache: CacheOutcome | undefined;
}

/** Makes the further rounds of runs. @param first The outcome of the first one. */
async function lastRound<Request, Context, Response>(
  cache: ResponseCache,
  steps: InferenceSteps<Request, Context, Response>,
  first: Rounds<Context>,
  request: Request,
  caller: Caller,
): Promise<Rounds<Context>> {
  const { version } = first;
  let last = first;
  for (;;) {
    const prepared = await steps.next!(last, request);
    if (prepared === undefined) return last;
    const { context } = prepared;
    const options = runOptions(version, prepared, caller);
    const answer = await lookUp(cache, version, prepared, options, caller);
    const results = answer?.results ?? (await runAll(version, prepared, options));
    const own = joinTimings(results);
    const timings = addTimings(last.timings, own);
    const waited = addTimings(last.waited, answer?.timings ?? own);
    const joined = joinOutcomes(last.cache, answer?.cache);
    last = { version, results, timings, waited, cache: joined, context };
    caller.cache = joined;
  }
}

/** How the cache took part in several rounds: a request for which anything ran is no hit. */
function joinOutcomes(
  before: CacheOutcome | undefined,
  now: CacheOutcome | undefined,
): CacheOutcome | undefined {
  if (before === undefined || now === undefined) return before ?? now;
  if (before.state !== 'hit' || now.state !== 'hit') return before.state === 'hit' ? now : before;
  return { state: 'hit', ageSecs: Math.max(before.ageSecs ?? 0, now.ageSecs ?? 0) };
}

/** The answer of the cache, which makes the runs if it has none; undefined if the version is not cached. */
function lookUp(
  cache: ResponseCache,
  version: ModelVersion,
  prepared: Prepared<unknown>,
  options: VersionRunOptions,
  caller: Caller,
): CacheAnswer | Promise<CacheAnswer> | undefined {
  const scope = cache.scopeOf(version);
  const { runs, remembered, pooling } = prepared;
  if (scope === undefined || runs.length === 0) return undefined;
  const { outputs, packStrings = false, priority = 0, timeoutMs } = options;
  const run = (signal: CancelSignal | undefined) => {
    // Tokens are sent while they are made. The runs of a request that the cache takes no part in have no other signal.
    caller.cache = { state: signal === undefined ? 'bypass' : 'miss' };
    return runHeld(version, prepared, signal === undefined ? options : { ...options, signal });
  };
  const cached: CacheRequest = {
    ...{ runs, remembered, outputs, packStrings, pooling, priority, timeoutMs, run },
  };
  return cache.answer(scope, cached, caller);
}

/** Makes runs that may outlive their request, because others wait for them, too. */
async function runHeld(
  version: ModelVersion,
  prepared: Prepared<unknown>,
  options: VersionRunOptions,
): Promise<CacheAnswer> {
  version.hold();
  try {
    const results = await runAll(version, prepared, options);
    return { results, timings: joinTimings(results), cache: undefined };
  } finally {
    version.release();
  }
}

async function runAll(
  version: ModelVersion,
  { runs, pooling }: Prepared<unknown>,
  options: VersionRunOptions,
): Promise<readonly RunResult[]> {
  if (runs.length === 0) return [];
  if (runs.length === 1) return [await version.run(runs[0]!, withPool(options, pooling?.[0]))];
  const { timeoutMs } = options;
  const until = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  const optionsOf = (run: number): VersionRunOptions => ({
    ...withPool(options, pooling?.[run]),
    // Some runs start later, and have the deadline of the others.
    ...(until === undefined ? {} : { timeoutMs: Math.max(until - performance.now(), 0) }),
  });
  const pace = new Pace(version.parallelRuns);
  return runTogether([...runs.entries()], pace, options.signal, ([run, inputs], signal) =>
    version.run(inputs, { ...optionsOf(run), signal }),
  );
}

function runOptions(
  version: ModelVersion,
  { outputs = version.outputs, packStrings, priority, queueTimeoutMs, onTokens }: Prepared<unknown>,
  caller: Caller,
): VersionRunOptions {
  const level = version.level(priority);
  const timeoutMs = earlier(
    allowedTimeout(version.settings.queue, level, queueTimeoutMs),
    caller.timeLeft(),
  );
  // The engine accepts a missing key, but not one that is undefined.
  const options: VersionRunOptions = { transfer: 'lend', priority: Math.max(level - 1, 0) };
  if (outputs !== undefined) options.outputs = outputs;
  if (packStrings === true) options.packStrings = true;
  if (timeoutMs !== undefined) options.timeoutMs = timeoutMs;
  if (caller.signal !== undefined) options.signal = caller.signal;
  if (onTokens !== undefined) options.onTokens = onTokens;
  return options;
}

const earlier = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
