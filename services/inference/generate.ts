/**
 * The generate extension: runs a model with plain JSON. Each input is a member of the request, and each output a
 * member of the response.
 *
 * @module
 */

import {
  createTensor,
  describeValue,
  elementCodec,
  elementCount,
  invalidArgument,
  jsonElement,
  type ModelVersion,
  type NonFinite,
  type Parameters,
  quote,
  type Runtime,
  stringify,
  type Tensor,
  type TensorSpec,
  toNonFinite,
} from '../../runtime/index.ts';
import { MAX_JSON_BYTES, readExactJson } from '../http/codec-json.ts';
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
 * @param stream Whether the response is a stream of server-sent events. It has one event, because models respond once.
 */
export function generateRoute(
  { config }: Runtime,
  path: string,
  stream: boolean,
): InferRoute<unknown, GenerateInput, NonFinite> {
  return {
    path,
    limit: Math.min(config.maxRequestBytes, MAX_JSON_BYTES),
    read: readExactJson,
    anyType: true,
    decode(body, { request }) {
      const fields = toFields(body);
      const { id } = fields;
      if (id !== undefined && typeof id !== 'string') throw invalidArgument('id must be a string.');
      return { target: targetOf(request.url), fields, id };
    },
    route: ({ target }) => target,
    body: ({ fields }) => fields,
    prepare({ fields }, version) {
      const parameters = toParameters(version, fields.parameters);
      return {
        runs: [toInputs(version, fields)],
        outputs: undefined,
        ...scheduling(parameters),
        context: toNonFinite(parameters.non_finite, 'string'),
      };
    },
    respond({ version, results, context: nonFinite }, { id }) {
      const values = Object.entries(results[0]!.outputs).map(([name, tensor]) => [
        name,
        toJson(tensor, nonFinite),
      ]);
      const about = { id, model_name: version.model, model_version: version.version };
      const json = stringify({ ...about, ...Object.fromEntries(values) }, nonFinite);
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
  throw invalidArgument('The body must be a JSON object such as {"text_input": "…"}.');
}

/**
 * The inputs, which are members of the request or of its `parameters`.
 *
 * @throws {ServeError} if an input is missing, or a member is neither an input nor `id` nor `parameters`
 */
function toInputs(version: ModelVersion, fields: Fields): Record<string, Tensor> {
  const { inputs } = version.signature;
  const parameters = fields.parameters === undefined ? {} : toFields(fields.parameters);
  const given: Fields = Object.assign(Object.create(null), parameters, fields);
  const unknown = Object.keys(fields).find(
    (key) => key !== 'id' && key !== 'parameters' && !inputs.some(({ name }) => name === key),
  );
  if (unknown !== undefined) {
    const names = inputs.map(({ name }) => name).join(', ');
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

/**
 * Converts a value, a flat list of the elements in row-major order, or nested lists of the tensor's shape. If the
 * model is batched, the batch dimension may be left out, and then the tensor has one row.
 */
function toTensor(spec: TensorSpec, version: ModelVersion, value: unknown): Tensor {
  const { name, type, dims } = spec;
  const { enabled } = version.signature.batching;
  const values: unknown[] = [];
  const nested = flatten(name, value, values);
  const shape = fitNested(dims, nested) ?? fitRow(dims, enabled, nested, values.length);
  if (shape === undefined) {
    const got = nested.length > 1 ? `the shape [${nested}]` : `${values.length} values`;
    throw invalidArgument(`${name} has ${got}, but the model takes [${dims}].`);
  }
  const data = toData(name, elementCodec(type, version.nullIsNaN), values);
  return createTensor(type, shape, data);
}

/** The shape, if the lists are nested by all dimensions of the input. */
const fitNested = (
  dims: readonly number[],
  nested: readonly number[],
): readonly number[] | undefined => (nested.length > 0 && fits(dims, nested) ? nested : undefined);

/** The shape, if nested lists or a flat list hold one row, or the whole tensor of a model without batches. */
function fitRow(
  dims: readonly number[],
  batched: boolean,
  nested: readonly number[],
  count: number,
): readonly number[] | undefined {
  const row = dims.slice(batched ? 1 : 0);
  const whole = (sizes: readonly number[]) => (batched ? [1, ...sizes] : sizes);
  if (nested.length > 1) return fits(row, nested) ? whole(nested) : undefined;
  const dynamic = row.filter((size) => size === -1).length;
  const fixed = elementCount(row.filter((size) => size !== -1));
  const missing = dynamic === 0 ? 1 : count / fixed;
  if (dynamic > 1 || fixed * missing !== count || !Number.isInteger(missing)) return undefined;
  return whole(row.map((size) => (size === -1 ? missing : size)));
}

const fits = (dims: readonly number[], sizes: readonly number[]): boolean =>
  dims.length === sizes.length && dims.every((dim, i) => dim === -1 || dim === sizes[i]);

/** Appends the elements of a value or of nested lists to `into`. @returns the sizes of the lists, outermost first. */
function flatten(name: string, value: unknown, into: unknown[]): readonly number[] {
  if (!Array.isArray(value)) {
    into.push(value);
    return [];
  }
  let inner: readonly number[] | undefined;
  for (const each of value as readonly unknown[]) {
    const sizes = flatten(name, each, into);
    inner ??= sizes;
    if (sizes.length !== inner.length || sizes.some((size, i) => size !== inner?.[i])) {
      throw invalidArgument(
        `${name} has nested lists of different sizes; all lists of a level must have the same size.`,
      );
    }
  }
  return [value.length, ...(inner ?? [])];
}

function toData(name: string, codec: ReturnType<typeof elementCodec>, values: readonly unknown[]) {
  const data = codec.allocate(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const element = codec.encode(values[i]);
    if (element === undefined) {
      throw invalidArgument(`${name} must be ${codec.expected}, got ${describeValue(values[i])}.`);
    }
    data[i] = element;
  }
  return data;
}

/** A single element as a value, several elements as a list. */
function toJson(tensor: Tensor, nonFinite: NonFinite): unknown {
  const element = (index: number) => jsonElement(tensor, index, nonFinite);
  const elements = Array.from({ length: tensor.data.length }, (_, i) => element(i));
  return elements.length === 1 ? elements[0] : elements;
}
