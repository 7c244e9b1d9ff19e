/** @module `POST /predict`: rows of features in, predictions out. */

import {
  type ModelVersion,
  type NonFinite,
  type Outcome,
  type Prediction,
  type Prepared,
  RememberedKey,
  type Runtime,
  roundMs,
  ServeError,
  stringify,
  type TabularTask,
  type TaskName,
  toNonFinite,
} from '../../runtime/index.ts';
import { type ReadBody, readText } from '../http/body.ts';
import { parseExactJson, parseJson, readExactJson, readJson } from '../http/codec-json.ts';
import type { InferRoute } from '../http/edge.ts';
import { predictedBy } from '../http/predicted.ts';
import { withoutMembers } from '../http/without-members.ts';
import { isFeatures, type PredictRequest, predictRequest } from './schema.ts';

/** The tasks of the models that take rows of features. */
export const TASKS: readonly TaskName[] = ['classification', 'regression', 'raw'];

/** Longer responses are not kept for further requests with the same body. */
const SHORT = 4096;

/** A request, and the id that its response repeats. */
interface PredictInput {
  readonly id: string;
  readonly content: Content;
}

/** What a body says. Requests with the same body may share it. */
interface Content {
  /** The body as it was sent, which may have members beside those of a request. */
  readonly json: unknown;
  readonly body: PredictRequest;
  readonly nonFinite: NonFinite;
  /** How the body is prepared for each version; undefined if no other request will have it. */
  readonly prepared: WeakMap<ModelVersion, PreparedRows> | undefined;
}

/** A body that is not parsed yet, because its text may be known. All other bodies are parsed by the host, which is faster. */
class BodyText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const readBodyText: ReadBody<BodyText> = (source, announced, limit) =>
  readText(source, announced, limit).then((text) => new BodyText(text));

type PreparedRows = Prepared<Context>;

interface Context {
  readonly task: Parameters<TabularTask['decode']>[1];
  /** Whether rows are run together, which the engine may stop to do. */
  readonly together: boolean;
  /** What the last results with this context say. */
  said: Said | undefined;
}

/** What results say, as predictions and as the JSON of a response up to the request's id, which comes last. */
interface Said {
  readonly results: Outcome<Context>['results'];
  readonly predictions: readonly Prediction[];
  readonly json: string;
}

export function predictRoute({
  cache,
  config,
  routes,
}: Runtime): InferRoute<unknown, PredictInput, Context> {
  const requests = cache.requestsTo<Content>('/predict');
  const toContent = (json: unknown, isRemembered: boolean): Content => {
    const body = checked(json, routes.keyMembers);
    const nonFinite = toNonFinite(body.non_finite, 'string');
    return { json, body, nonFinite, prepared: isRemembered ? new WeakMap() : undefined };
  };
  const readContent = (text: string, isRemembered: boolean): Content =>
    toContent(routes.takesWideIntegers ? parseExactJson(text) : parseJson(text), isRemembered);
  return {
    path: '/predict',
    limit: config.maxPredictBytes,
    read(source, announced, limit) {
      if (requests.isOn) return readBodyText(source, announced, limit);
      // Exact parsing takes a third longer, so it is used only if a model has 64-bit integers as inputs.
      return (routes.takesWideIntegers ? readExactJson : readJson)(source, announced, limit);
    },
    // The names of the members change whenever models or routes do.
    decode: (body, { id }) => ({
      id,
      content:
        body instanceof BodyText
          ? requests.meaning(body.text, routes.keyMembers, readContent)
          : toContent(body, false),
    }),
    route({ content: { body } }) {
      return { model: body.model, version: body.model_version, tasks: TASKS };
    },
    prepare({ content }, version) {
      const together = version.signature.batching.enabled;
      const known = content.prepared?.get(version);
      if (known?.context.together === together) return known;
      const task = taskOf(version);
      const { body, nonFinite } = content;
      const { runs, context } = task.prepare(body.features, { nonFinite });
      const remembered = content.prepared && new RememberedKey();
      const made: PreparedRows = {
        runs,
        outputs: task.outputs,
        remembered,
        context: { task: context, together, said: undefined },
      };
      content.prepared?.set(version, made);
      return made;
    },
    respond(outcome, { id, content }) {
      if (content.prepared === undefined) {
        const predictions = decode(outcome);
        return { body: toJson(predictions, outcome, content, id), predictions };
      }
      const { context, results } = outcome;
      const said = context.said?.results === results ? context.said : say(outcome, content);
      const { json, predictions } = said;
      if (json.length <= SHORT) context.said = said;
      // An id has no characters that JSON escapes.
      return { body: `${json}${id}"}`, predictions };
    },
    body: ({ content }) => content.json,
    predicted: ({ predictions }, { content: { body } }) => predictedBy(predictions!, isList(body)),
  };
}

const decode = ({ version, results, context }: Outcome<Context>): readonly Prediction[] =>
  taskOf(version).decode(results, context.task);

function say(outcome: Outcome<Context>, content: Content): Said {
  const predictions = decode(outcome);
  const json = toJson(predictions, outcome, content, undefined).slice(0, -1);
  return { results: outcome.results, predictions, json: `${json},"request_id":"` };
}

/** The JSON of a response, without `request_id` if that is undefined. */
function toJson(
  predictions: readonly Prediction[],
  { version, timings }: Outcome<Context>,
  { body, nonFinite }: Content,
  id: string | undefined,
): string {
  const model_version = version.version;
  const inference_time_ms = roundMs(timings.computeMs);
  if (isList(body)) {
    return stringify({ predictions, model_version, inference_time_ms, request_id: id }, nonFinite);
  }
  const { prediction, confidence } = predictions[0]!;
  return stringify(
    { prediction, confidence, model_version, inference_time_ms, request_id: id },
    nonFinite,
  );
}

/** Whether a request has a list of rows, even of one row. Then its response has a list of predictions. */
function isList({ features }: PredictRequest): boolean {
  if (!Array.isArray(features)) return false;
  const [first] = features;
  return typeof first === 'object' && first !== null;
}

/** @throws {ServeError} with the reason why the version has no tabular task */
function taskOf({ task }: ModelVersion): TabularTask {
  if (task instanceof ServeError) throw task;
  return task;
}

/** @param others Members that a body may have besides, which hold keys of sticky splits. */
function checked(body: unknown, others: ReadonlySet<string>): PredictRequest {
  if (isUsualRequest(body, others)) return body;
  const parsed = predictRequest.safeParse(withoutMembers(body, others, predictRequest.shape));
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new ServeError('INVALID_ARGUMENT', `${path.join('.') || 'The body'} ${message}.`);
}

/**
 * Whether a body has the form that nearly all requests have. These skip the schema, which takes as long as the
 * rest of the decoding; the schema checks all others.
 */
function isUsualRequest(body: unknown, others: ReadonlySet<string>): body is PredictRequest {
  if (typeof body !== 'object' || body === null) return false;
  for (const key in body) {
    const value = (body as Record<string, unknown>)[key];
    if (key === 'features') {
      if (!isFeatures(value)) return false;
    } else if (key === 'model' || key === 'model_version') {
      if (typeof value !== 'string') return false;
    } else if (key === 'non_finite' || !others.has(key)) return false;
  }
  return 'features' in body;
}
