/**
 * The generate extension: runs a model with plain JSON. For a model that generates text the request has `text_input`, and the
 * response `text_output`. For any other model each input is a member of the request, and each output a member of the
 * response.
 *
 * @module
 */

import {
  type GenerateTextContext,
  type ImageTools,
  invalidArgument,
  type ModelVersion,
  type NonFinite,
  type Outcome,
  type Parameters,
  type Prepared,
  quote,
  type Runtime,
  ServeError,
  stringify,
  type Tensor,
  toNonFinite,
} from '../../runtime/index.ts';
import { MAX_JSON_BYTES, readExactJson } from '../http/codec-json.ts';
import type { EncodedResponse, InferRoute } from '../http/edge.ts';
import { EventStream, toEvent } from '../http/event-stream.ts';
import { about, type Fields, type GenerateInput } from './generate-request.ts';
import { prepareText, respondText } from './generate-text.ts';
import { imageRuns, sendsFiles, shownSignature } from './images.ts';
import { scheduling } from './infer.ts';
import { joinRows } from './join-rows.ts';
import { toJson, toTensor } from './json-tensors.ts';
import { targetOf } from './paths.ts';

/** How a response is written: tensors, or text. */
type GenerateContext = { readonly nonFinite: NonFinite } | { readonly text: GenerateTextContext };

/**
 * @param path The route's template.
 * @param stream Whether the response is a stream of server-sent events: one for each piece of text, or one with all outputs.
 */
export function generateRoute(
  { config, routes, imageTools }: Runtime,
  path: string,
  stream: boolean,
): InferRoute<unknown, GenerateInput, GenerateContext> {
  return {
    path,
    limit: Math.min(config.maxRequestBytes, MAX_JSON_BYTES),
    read: readExactJson,
    anyType: true,
    decode(body, sender) {
      const fields = toFields(body);
      const { id } = fields;
      if (id !== undefined && typeof id !== 'string') throw invalidArgument('id must be a string.');
      const events = stream ? new EventStream() : undefined;
      return { target: targetOf(sender.request.url), fields, id, sender, events };
    },
    route: ({ target }) => target,
    body: ({ fields }) => fields,
    events: ({ events }) => events,
    streams: () => stream,
    prepare(input, version) {
      return version.text?.generation === undefined
        ? prepareTensors(input, version, imageTools)
        : prepareText(input, version, routes.keyMembers);
    },
    respond(outcome, input) {
      const { context } = outcome;
      return 'text' in context
        ? respondText({ ...outcome, context: context.text }, input)
        : respondTensors(outcome, context.nonFinite, input);
    },
  };
}

function prepareTensors(
  { fields, sender }: GenerateInput,
  version: ModelVersion,
  tools: ImageTools,
): Prepared<GenerateContext> | Promise<Prepared<GenerateContext>> {
  const parameters = toParameters(version, fields.parameters);
  const prepared = {
    runs: [toInputs(version, fields)],
    outputs: undefined,
    ...scheduling(parameters),
    context: { nonFinite: toNonFinite(parameters.non_finite, 'string') },
  };
  if (!sendsFiles(version, prepared)) return prepared;
  const reading = { tools, sender, isText: () => true };
  return imageRuns(version, prepared, reading).then((runs) => ({ ...prepared, runs }));
}

function respondTensors(
  { version, results }: Outcome<GenerateContext>,
  nonFinite: NonFinite,
  input: GenerateInput,
): EncodedResponse {
  const values = Object.entries(joinRows(results).outputs).map(([name, tensor]) => [
    name,
    toJson(tensor, nonFinite),
  ]);
  const content = { ...about(input, version), ...Object.fromEntries(values) };
  const json = stringify(content, nonFinite);
  return { body: input.events === undefined ? json : toEvent(json) };
}

function toFields(body: unknown): Fields {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Fields;
  throw invalidArgument('The body must be a JSON object such as {"text_input": "…"}.');
}

/**
 * The inputs, which are members of the request or of its `parameters`.
 *
 * @throws {ServeError} if an input is missing, or a member is neither an input nor `id` nor `parameters`
 */
function toInputs(version: ModelVersion, fields: Fields): Record<string, Tensor> {
  const { inputs } = shownSignature(version);
  const parameters = fields.parameters === undefined ? {} : toFields(fields.parameters);
  const given: Fields = Object.assign(Object.create(null), parameters, fields);
  const unknown = Object.keys(fields).find(
    (key) => key !== 'id' && key !== 'parameters' && !inputs.some(({ name }) => name === key),
  );
  if (unknown !== undefined) {
    const names = inputs.map(({ name }) => name).join(', ');
    if (unknown === 'text_input') {
      throw new ServeError(
        'WRONG_TASK',
        `Model '${version.model}' does not generate text, so it takes no text_input; name a model that does, or send its inputs: ${names}.`,
      );
    }
    throw invalidArgument(`The model has no input ${quote(unknown)}; its inputs are ${names}.`);
  }
  const tensors: Record<string, Tensor> = Object.create(null);
  for (const spec of inputs) {
    if (given[spec.name] === undefined) throw invalidArgument(`${spec.name} is missing.`);
    tensors[spec.name] = toTensor(spec, version, given[spec.name]);
  }
  return tensors;
}

/** The members of `parameters` that are not inputs. */
function toParameters({ signature }: ModelVersion, given: unknown): Parameters {
  const names = new Set(signature.inputs.map(({ name }) => name));
  const own = Object.entries(given === undefined ? {} : toFields(given)).filter(
    ([name]) => !names.has(name),
  );
  for (const [name, value] of own) {
    if (['string', 'number', 'boolean'].includes(typeof value)) continue;
    throw invalidArgument(`The parameter ${quote(name)} must be a string, a number or a boolean.`);
  }
  return Object.fromEntries(own) as Parameters;
}
