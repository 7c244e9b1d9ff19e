/** @module Bodies of the control routes: few at once, within the budget of bytes and the times of bodies. */

import { type Runtime, ServeError } from '../../runtime/index.ts';
import { asBodyError, readText, wrongLength } from './body.ts';
import { RequestContext, Watch } from './request-context.ts';

/** Most of them at once, an HTTP thread. They do not count as requests in flight. */
const MOST_AT_ONCE = 16;

/** Reads the text of a body of at most `limit` bytes. @throws {ServeError} */
export type ReadControlBody = (request: Request, limit: number) => Promise<string>;

export function controlBodies({ bodies, clock, config }: Runtime): ReadControlBody {
  const watch = new Watch(clock, { timeoutMs: config.bodyTimeoutMs, minRate: config.minBodyRate });
  let reading = 0;

  function refusal(announced: number | undefined, limit: number): ServeError | undefined {
    if (reading < MOST_AT_ONCE) return wrongLength(announced, limit);
    return new ServeError(
      'OVERLOADED',
      `The server already reads ${MOST_AT_ONCE} bodies of control requests; retry later.`,
    );
  }

  return (request, limit) => {
    const length = request.headers.get('content-length');
    const announced = length === null ? undefined : Number(length);
    const refused = refusal(announced, limit);
    if (refused !== undefined) return Promise.reject(refused);
    reading += 1;
    return new Promise((resolve, reject) => {
      const owner = {
        clock,
        bodies,
        // The host's timer is held up for the whole route.
        idleTimeoutSecs: 0,
        slow: () => undefined,
        arrived: () => undefined,
        failure(_context: RequestContext, error: unknown) {
          reject(error);
          return new Response();
        },
        release(context: RequestContext) {
          watch.remove(context);
          reading -= 1;
        },
      };
      const context = new RequestContext(owner, request, '', clock.now(), undefined);
      watch.add(context);
      readText(context, announced, limit).then(
        (text) => {
          resolve(text);
          context.answer(new Response());
        },
        (error: unknown) => context.fail(asBodyError(error)),
      );
    });
  };
}
