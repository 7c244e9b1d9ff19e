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
import { type FloatTensor, INFER_PATH, type RunModel, scriptedApp } from './protocol.ts';
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
  return async ({ dims, data }) => {
    const { outputs } = await model.run({ x: { type: 'float32', dims, data } });
    return outputs.y as FloatTensor;
  };
}

async function onnxRuntimeNode(path: string): Promise<RunModel> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(path);
  return async ({ dims, data }) => {
    const { y } = await session.run({ x: new Tensor('float32', data, dims) });
    return { dims: y!.dims, data: y!.data as Float32Array };
  };
}

const task = JSON.parse(process.argv[2]!) as V2Task;
console.log(JSON.stringify({ port: await serve[task.contender](task) }));
