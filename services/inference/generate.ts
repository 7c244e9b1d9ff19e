/**
 * The generate extension: a model with texts in and out, asked with plain JSON. Its inputs are members of
 * the request by their names, its outputs members of the answer.
 *
 * @module
 */

import {
  elementArrays,
  type ModelVersion,
  type Parameters,
  type Runtime,
  ServeError,
  type Tensor,
  type TensorRequest,
  type TensorSpec,
  type Timings,
} from '../../runtime/index.ts';
import { readJson } from '../http/codec-json.ts';
import type { Encoded, InferRoute } from '../http/edge.ts';
import { scheduling } from './infer.ts';
import { targetOf } from './paths.ts';

type Fields = Readonly<Record<string, unknown>>;

interface Question {
  readonly request: TensorRequest;
  readonly id: string | undefined;
}

interface Answered {
  readonly timings: Timings;
  readonly maxRows: number;
  readonly json: string;
}

/** @param stream Whether the answer is a stream of events; a model here gives one. */
export function generateRoute(
  runtime: Runtime,
  path: string,
  stream: boolean,
): InferRoute<unknown, Question, Answered> {
  return {
    path,
    limit: runtime.config.maxRequestBytes,
    read: readJson,
    anyType: true,
    decode(body, context) {
      const target = targetOf(context.request.url);
      const version = runtime.model(target.model).resolve(target.version);
      const fields = toFields(body);
      const { id } = fields;
      if (id !== undefined && typeof id !== 'string') throw invalid('id must be a text.');
      const request: TensorRequest = {
        ...target,
        inputs: toInputs(version, fields),
        outputs: undefined,
        ...scheduling(toParameters(version, fields.parameters)),
        timeoutMs: context.timeLeft(runtime.clock),
        signal: context,
      };
      return { request, id };
    },
    async run({ request, id }) {
      const { version, outputs, timings, maxRows } = await runtime.inferTensors(request);
      const values = Object.entries(outputs).map(([name, tensor]) => [name, unwrapped(tensor)]);
      const json = JSON.stringify({
        id,
        model_name: version.model,
        model_version: version.version,
        ...Object.fromEntries(values),
      });
      return { timings, maxRows, json };
    },
    encode: ({ json }): Encoded =>
      stream
        ? {
            body: `data: ${json}\n\n`,
            headers: { 'Content-Type': 'text/event-stream; charset=utf-8' },
          }
        : { body: json },
  };
}

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
    throw invalid(`The parameter ${name} must be a text, a number or a boolean.`);
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
  } as Tensor;
}

function toData(name: string, type: Tensor['type'], values: readonly unknown[]) {
  const kind = type === 'string' ? 'string' : type === 'bool' ? 'boolean' : 'number';
  if (!values.every((value) => typeof value === kind)) throw invalid(`${name} must be a ${kind}.`);
  if (type === 'string') return values as string[];
  if (type === 'float16' || type === 'bfloat16') {
    throw invalid(`${name} is ${type}, which this route does not take; use infer.`);
  }
  if (type === 'int64' || type === 'uint64') {
    if (!values.every(Number.isSafeInteger)) throw invalid(`${name} must be a whole number.`);
    return elementArrays[type].from((values as number[]).map(BigInt));
  }
  return elementArrays[type].from(values as number[]);
}

/** A single element by itself, several as a list. */
function unwrapped({ type, data }: Tensor): unknown {
  const values = Array.from(data as ArrayLike<unknown>, (value): unknown =>
    type === 'bool' ? value === 1 : typeof value === 'bigint' ? Number(value) : value,
  );
  return values.length === 1 ? values[0] : values;
}

function invalid(message: string): ServeError {
  return new ServeError('INVALID_ARGUMENT', message);
}
