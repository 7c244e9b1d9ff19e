/**
 * The usual way in JavaScript: transformers.js in a handler of Hono, one text a request. POST /embed {"text": "…"}.
 *
 *     bun transformers-js.mjs FOLDER-OF-MODELS NAME DTYPE PORT
 */
import { env, pipeline } from '@huggingface/transformers';
import { Hono } from 'hono';

const [models, name, dtype, port] = process.argv.slice(2);
env.localModelPath = models;
env.allowRemoteModels = false;
const embed = await pipeline('feature-extraction', name, { dtype });
const app = new Hono().post('/embed', async (c) => {
  const { text } = await c.req.json();
  const output = await embed([text], { pooling: 'mean', normalize: true });
  return c.json({ embeddings: output.tolist() });
});
Bun.serve({ port: Number(port), hostname: '127.0.0.1', fetch: app.fetch });
