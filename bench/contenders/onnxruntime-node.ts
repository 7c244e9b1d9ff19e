/**
 * The usual way: onnxruntime-node with its defaults in a Hono handler on Bun, with one run per request.
 *
 * @module
 */
import { Hono } from 'hono';
import { predictResponse } from '../lib/response.ts';
import { listen } from './listen.ts';
import { serveCommand } from './serve-command.ts';
import type { HttpContender, Setup } from './types.ts';

export const contender: HttpContender = {
  kind: 'http',
  name: 'onnxruntime-node',
  title: 'onnxruntime-node in Hono',
  computes: true,
  command: (setup) => serveCommand('onnxruntime-node', setup),
};

export async function serve({ model }: Setup): Promise<number> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(model.file);
  const app = new Hono().post('/predict', async (c) => {
    const { features } = await c.req.json<{ features: number[] }>();
    const started = performance.now();
    const input = new Tensor('float32', Float32Array.from(features), [1, features.length]);
    const outputs = await session.run({ [model.input]: input });
    const scores = outputs[model.output]!.data as Float32Array;
    return c.json(predictResponse(scores, performance.now() - started));
  });
  return listen(app.fetch);
}
