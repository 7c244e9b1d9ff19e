/**
 * The generate extension: a model that is asked with plain JSON. Its inputs are members of the request by
 * their names, its outputs members of the response.
 *
 * @module
 */

import {
  describeValue,
  elementCodecs,
  jsonElement,
  type ModelVersion,
  type Parameters,
  type Runtime,
  ServeError,
  type Tensor,
  type TensorSpec,
} from '../../runtime/index.ts';
import { readExactJson } from '../http/codec-json.ts';
import type { EncodedResponse, InferRoute } from '../http/edge.ts';
import { scheduling, type Target } from './infer.ts';
import { targetOf } from './paths.ts';

type Fields = Readonly<Record<string, unknown>>;

interface GenerateInput {
  readonly target: Target;
  readonly fields: Fields;
  readonly id: string | undefined;
}

/**
 * @param path The route's template.
 * @param stream Whether the response is a stream of events; every model here gives one event.
 */
export function generateRoute(
  { config }: Runtime,
  path: string,
  stream: boolean,
): InferRoute<unknown, GenerateInput, undefined> {
  return {
    path,
    limit: config.maxRequestBytes,
    read: readExactJson,
    anyType: true,
    decode(body, { request }) {
      const fields = toFields(body);
      const { id } = fields;
      if (id !== undefined && typeof id !== 'string') throw invalid('id must be a string.');
      return { target: targetOf(request.url), fields, id };
    },
    route: ({ target }) => target,
    prepare: ({ fields }, version) => ({
      runs: [toInputs(version, fields)],
      outputs: undefined,
      ...scheduling(toParameters(version, fields.parameters)),
      context: undefined,
    }),
    respond({ version, outputs }, { id }) {
      const values = Object.entries(outputs[0]!).map(([name, tensor]) => [name, toJson(tensor)]);
      const json = JSON.stringify({
        id,
        model_name: version.model,
        model_version: version.version,
        ...Object.fromEntries(values),
      });
      return stream ? toEvent(json) : { body: json };
    },
  };
}

const toEvent = (json: string): EncodedResponse => ({
  body: `data: ${json}\n\n`,
  headers: { 'Content-Type': 'text/event-stream; charset=utf-8' },
});

function toFields(body: unknown): Fields {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Fields;
  throw invalid('The body must be a JSON object such as {"text_input": "…"}.');
}

/** Members named as inputs; what is no input may only be `id` or `parameters`, whose members may be inputs too. */
function toInputs(version: ModelVersion, fields: Fields): Record<string, Tensor> {
  const { inputs, batching } = version.signature;
  const parameters = fields.parameters === undefined ? {} : toFields(fields.parameters);
  const given: Fields = { ...parameters, ...fields };
  const unknown = Object.keys(fields).find(
    (key) => key !== 'id' && key !== 'parameters' && !inputs.some(({ name }) => name === key),
  );
  if (unknown !== undefined) {
    const names = inputs.map(({ name }) => name).join(', ');
    throw invalid(`The model has no input ${unknown}; its inputs are ${names}.`);
  }
  const tensors: Record<string, Tensor> = Object.create(null);
  for (const spec of inputs) {
    if (given[spec.name] === undefined) throw invalid(`${spec.name} is missing.`);
    tensors[spec.name] = toTensor(spec, batching.enabled, given[spec.name]);
  }
  return tensors;
}

/** Parameters of the request, which are those that are no inputs. */
function toParameters({ signature }: ModelVersion, given: unknown): Parameters {
  const names = new Set(signature.inputs.map(({ name }) => name));
  const own = Object.entries(given === undefined ? {} : toFields(given)).filter(
    ([name]) => !names.has(name),
  );
  for (const [name, value] of own) {
    if (['string', 'number', 'boolean'].includes(typeof value)) continue;
    throw invalid(`The parameter ${name} must be a string, a number or a boolean.`);
  }
  return Object.fromEntries(own) as Parameters;
}

/** A value, or a list of values, as one row where the model batches. */
function toTensor({ name, type, dims }: TensorSpec, batched: boolean, value: unknown): Tensor {
  const values = Array.isArray(value) ? value : [value];
  const row = dims.slice(batched ? 1 : 0);
  const open = row.filter((size) => size === -1).length;
  const fixed = row.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const missing = open === 0 ? 1 : values.length / fixed;
  if (open > 1 || fixed * missing !== values.length || !Number.isInteger(missing)) {
    throw invalid(`${name} has ${values.length} values, but the model takes [${dims}].`);
  }
  const sizes = row.map((size) => (size === -1 ? missing : size));
  return {
    type,
    dims: batched ? [1, ...sizes] : sizes,
    data: toData(name, type, values),
  } as unknown as Tensor;
}

function toData(name: string, type: Tensor['type'], values: readonly unknown[]) {
  const codec = elementCodecs[type];
  if (codec === undefined) {
    throw invalid(`${name} is ${type}, which this route does not take; use infer.`);
  }
  const data = codec.allocate(values.length);
  for (const [index, value] of values.entries()) {
    const element = codec.encode(value);
    if (element === undefined) {
      throw invalid(`${name} must be ${codec.expected}, got ${describeValue(value)}.`);
    }
    data[index] = element;
  }
  return data;
}

/** A single element by itself, several as a list. */
function toJson(tensor: Tensor): unknown {
  const elements = Array.from({ length: tensor.data.length }, (_, i) => jsonElement(tensor, i));
  return elements.length === 1 ? elements[0] : elements;
}

function invalid(message: string): ServeError {
  return new ServeError('INVALID_ARGUMENT', message);
}
