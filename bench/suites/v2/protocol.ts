/** @module The Open Inference Protocol in JavaScript, with one float32 tensor as input and as output. */
import { Hono } from 'hono';

export const HEADER_LENGTH = 'Inference-Header-Content-Length';
export const INFER_PATH = '/v2/models/:model/infer';

export interface FloatTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Runs the model with its only input and returns its only output. */
export type RunModel = (input: FloatTensor) => Promise<FloatTensor>;

interface Header {
  readonly inputs: readonly [
    { readonly name: string; readonly shape: number[]; readonly data: number[] },
  ];
}

/** Responds in the encoding of the request: JSON or binary. */
export function scriptedApp(run: RunModel): Hono {
  return new Hono().post(INFER_PATH, async (c) => {
    const length = c.req.header(HEADER_LENGTH);
    if (length === undefined) {
      const [{ name, shape, data }] = (await c.req.json<Header>()).inputs;
      const y = await run({ name, dims: shape, data: Float32Array.from(data) });
      return c.json(response(c.req.param('model'), y, { data: Array.from(y.data) }));
    }
    const body = await c.req.arrayBuffer();
    const json = new TextDecoder().decode(new Uint8Array(body, 0, Number(length)));
    const [{ name, shape }] = (JSON.parse(json) as Header).inputs;
    // The data is copied, because floats must be aligned.
    const data = new Float32Array(body.slice(Number(length)));
    const y = await run({ name, dims: shape, data });
    const parameters = { binary_data_size: y.data.byteLength };
    const head = JSON.stringify(response(c.req.param('model'), y, { parameters }));
    const binary = new Uint8Array(
      y.data.buffer as ArrayBuffer,
      y.data.byteOffset,
      y.data.byteLength,
    );
    const headers = {
      'Content-Type': 'application/octet-stream',
      [HEADER_LENGTH]: String(head.length),
    };
    return c.body(Buffer.concat([Buffer.from(head), binary]), 200, headers);
  });
}

/** The JSON of the response, with `content` for the elements. */
export function response(
  model: string,
  { name, dims }: Omit<FloatTensor, 'data'>,
  content: object,
) {
  const output = { name, datatype: 'FP32', shape: dims, ...content };
  return { model_name: model, model_version: '1', outputs: [output] };
}

/** The elements of the first output of a response. */
export async function readResponse(response: Response): Promise<Float32Array> {
  const length = response.headers.get(HEADER_LENGTH);
  if (length !== null)
    return new Float32Array((await response.arrayBuffer()).slice(Number(length)));
  const { outputs } = (await response.json()) as { outputs: [{ data: number[] }] };
  return Float32Array.from(outputs[0].data);
}
