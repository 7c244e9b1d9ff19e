/** @module Probes: is the process alive, and does it take requests. */

import type { ModelStatus, Runtime } from '../../runtime/index.ts';
import { STATUS } from './error-response.ts';
import type { AddRoute } from './managed-routes.ts';

/**
 * `/alive` and `/health` answer as long as the thread runs; `/ready` only while it takes requests, and it
 * lists every version with the reason where one is not served.
 */
export function healthRoutes(add: AddRoute, runtime: Runtime): void {
  add('/alive', (c) => c.json({ status: 'alive' }));
  add('/health', (c) => c.json({ status: 'ok', ready: runtime.ready() }));
  add('/ready', (c) => {
    const models = runtime.models();
    const ready = runtime.ready();
    const body = { status: ready ? 'ready' : whyNot(runtime, models), models };
    return c.json(body, (ready ? 200 : STATUS.DRAINING) as 200);
  });
}

function whyNot({ admission }: Runtime, models: readonly ModelStatus[]): string {
  if (admission.draining) return 'draining';
  const stuck = models.some(({ versions }) => versions.some(({ state }) => state === 'stuck'));
  return stuck ? 'no model answers' : 'no model is loaded';
}
