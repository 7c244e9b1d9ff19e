/** @module Reads bodies of control routes: a few at once, within the byte budget and the time limits of bodies. */

import { type Runtime, ServeError } from '../../runtime/index.ts';
import { asBodyError, readText, wrongLength } from './body.ts';
import { RequestContext, Watch } from './request-context.ts';

/** Maximum bodies that one HTTP thread reads at once. They do not count as requests in flight. */
const MAX_AT_ONCE = 16;

/**
 * Reads a body of at most `limit` bytes as text and handles it. The body counts against the byte budget until it is
 * handled, because a load waits for those before it.
 *
 * @throws {ServeError} if the body cannot be read
 * @throws what `handle` throws
 */
export type HandleControlBody = <Result>(
  request: Request,
  limit: number,
  handle: (text: string) => Result | Promise<Result>,
) => Promise<Result>;

export function controlBodies({ bodies, clock, config }: Runtime): HandleControlBody {
  const watch = new Watch(clock, { timeoutMs: config.bodyTimeoutMs, minRate: config.minBodyRate });
  let reading = 0;

  function refusal(announced: number | undefined, limit: number): ServeError | undefined {
    if (reading < MAX_AT_ONCE) return wrongLength(announced, limit);
    return new ServeError(
      'OVERLOADED',
      `The server already reads ${MAX_AT_ONCE} bodies of control requests; retry later.`,
    );
  }

  return (request, limit, handle) => {
    const length = request.headers.get('content-length');
    const announced = length === null ? undefined : Number(length);
    const refused = refusal(announced, limit);
    if (refused !== undefined) return Promise.reject(refused);
    reading += 1;
    return new Promise((resolve, reject) => {
      let isRead = false;
      const owner = {
        clock,
        bodies,
        // Not read, because this context has no idle timer: the host turns its own off for these routes.
        idleTimeoutSecs: 0,
        startReceiving: () => undefined,
        endReceiving: () => undefined,
        failure(_context: RequestContext, error: unknown) {
          reject(error);
          return new Response();
        },
        release(context: RequestContext) {
          watch.remove(context);
          if (!isRead) reading -= 1;
        },
      };
      const context = new RequestContext(owner, request, '', clock.now(), undefined);
      const serve = async () => {
        const text = await readText(context, announced, limit);
        context.arrived();
        if (context.responded) return;
        isRead = true;
        reading -= 1;
        resolve(await handle(text));
        context.respond(new Response());
      };
      watch.add(context);
      serve().catch((error: unknown) => context.fail(isRead ? error : asBodyError(error)));
    });
  };
}
