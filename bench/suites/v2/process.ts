/**
 * Runs a contender in a separate process: `bun process.ts TASK-AS-JSON`. Prints its `port` on a
 * line when it is ready.
 *
 * @module
 */
import { Hono } from 'hono';
import { openEngine } from '../../../native/index.ts';
import { listen } from '../../contenders/listen.ts';
import type { V2ContenderName } from './cases.ts';
import { INFER_PATH, type RunModel, scriptedApp } from './protocol.ts';
import { serveRoute } from './route.ts';

export interface V2Task {
  readonly contender: Exclude<V2ContenderName, 'ours'>;
  readonly model: string;
  /** Folder of the model repository for ours. */
  readonly repository: string;
  /** Bytes of the floor's response, the same as of ours. */
  readonly responseBytes: number;
}

/** The contenders. Each returns its port. */
const serve: Readonly<Record<V2Task['contender'], (task: V2Task) => number | Promise<number>>> = {
  floor({ responseBytes }) {
    const response = new Uint8Array(responseBytes);
    const app = new Hono().post(INFER_PATH, async (c) => {
      await c.req.arrayBuffer();
      return c.body(response, 200, { 'Content-Type': 'application/octet-stream' });
    });
    return listen(app.fetch);
  },
  route: ({ repository }) => serveRoute(repository),
  script: async ({ model }) => listen(scriptedApp(await ourEngine(model)).fetch),
  'onnxruntime-node': async ({ model }) => listen(scriptedApp(await onnxRuntimeNode(model)).fetch),
};

async function ourEngine(path: string): Promise<RunModel> {
  const model = await openEngine().load({ path });
  const output = model.signature.outputs[0]!.name;
  return async ({ name, dims, data }) => {
    const { outputs } = await model.run({ [name]: { type: 'float32', dims, data } });
    const tensor = outputs[output]!;
    return { name: output, dims: tensor.dims, data: tensor.data as Float32Array };
  };
}

async function onnxRuntimeNode(path: string): Promise<RunModel> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(path);
  const output = session.outputNames[0]!;
  return async ({ name, dims, data }) => {
    const outputs = await session.run({ [name]: new Tensor('float32', data, dims) });
    const tensor = outputs[output]!;
    return { name: output, dims: tensor.dims, data: tensor.data as Float32Array };
  };
}

const task = JSON.parse(process.argv[2]!) as V2Task;
console.log(JSON.stringify({ port: await serve[task.contender](task) }));
