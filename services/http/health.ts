/** @module Probes: is the process alive, and does it take requests. */

import type { ModelStatus, Runtime } from '../../runtime/index.ts';
import { readiness } from './error-response.ts';
import type { AddRoute } from './managed-routes.ts';

/**
 * `/alive` and `/health` answer 200 as long as the thread runs. `/ready` answers 200 only while the thread
 * takes requests. It lists every version, with the reason where one is not served, and what of the
 * repository is skipped.
 */
export function healthRoutes(add: AddRoute, runtime: Runtime): void {
  add('/alive', (c) => c.json({ status: 'alive' }));
  add('/health', (c) => c.json({ status: 'ok', ready: runtime.ready() }));
  add('/ready', (c) => {
    const models = runtime.models();
    const ready = runtime.ready();
    const skipped = runtime.repository.skipped();
    const body = {
      status: ready ? 'ready' : whyNot(runtime, models),
      models,
      ...(skipped.length === 0 ? {} : { skipped }),
    };
    return c.json(body, readiness(ready));
  });
}

function whyNot({ admission }: Runtime, models: readonly ModelStatus[]): string {
  if (admission.draining) return 'draining';
  const stuck = models.some(({ versions }) => versions.some(({ state }) => state === 'stuck'));
  return stuck ? 'no model answers' : 'no model is loaded';
}
