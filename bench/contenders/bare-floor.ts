/**
 * The bare floor: a plain Hono route on Bun that reads the same body and returns the same number of bytes, without a
 * model. It is the limit of what Hono on Bun can reach.
 *
 * @module
 */
import { Hono } from 'hono';
import { paddedResponse } from '../lib/response.ts';
import { listen } from './listen.ts';
import { serveCommand } from './serve-command.ts';
import type { HttpContender, Setup } from './types.ts';

export const contender: HttpContender = {
  kind: 'http',
  name: 'bare-floor',
  title: 'bare floor',
  computes: false,
  command: (setup) => serveCommand('bare-floor', setup),
};

export function serve({ responseBytes }: Setup): number {
  const response = paddedResponse(responseBytes);
  const app = new Hono().post('/predict', async (c) => {
    await c.req.json();
    return c.json(response);
  });
  return listen(app.fetch);
}
