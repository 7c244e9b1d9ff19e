/**
 * A contender that is a plain Hono application: `bun process.ts TASK-AS-JSON`. Prints its `port` on a
 * line when it is ready.
 *
 * @module
 */
import { Hono } from 'hono';
import { openEngine } from '../../../native/index.ts';
import { listen } from '../../contenders/listen.ts';
import type { V2ContenderName } from './cases.ts';
import { type FloatTensor, INFER_PATH, type RunModel, scriptedApp } from './protocol.ts';

export interface V2Task {
  readonly contender: Exclude<V2ContenderName, 'ours'>;
  readonly model: string;
  /** Bytes of the floor's answer: as many as ours has. */
  readonly answerBytes: number;
}

const apps: Readonly<Record<V2Task['contender'], (task: V2Task) => Hono | Promise<Hono>>> = {
  floor({ answerBytes }) {
    const answer = new Uint8Array(answerBytes);
    return new Hono().post(INFER_PATH, async (c) => {
      await c.req.arrayBuffer();
      return c.body(answer, 200, { 'Content-Type': 'application/octet-stream' });
    });
  },
  script: async ({ model }) => scriptedApp(await ourEngine(model)),
  'onnxruntime-node': async ({ model }) => scriptedApp(await onnxRuntimeNode(model)),
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
const app = await apps[task.contender](task);
console.log(JSON.stringify({ port: listen(app.fetch) }));
