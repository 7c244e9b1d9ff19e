/**
 * Bare floor: a plain Hono route on Bun that reads the same body and returns as many bytes, without
 * any model. The fastest that Hono on Bun can be.
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

export function serve({ answerBytes }: Setup): number {
  const answer = paddedResponse(answerBytes);
  const app = new Hono().post('/predict', async (c) => {
    await c.req.json();
    return c.json(answer);
  });
  return listen(app.fetch);
}
