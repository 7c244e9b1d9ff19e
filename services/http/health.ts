/** @module The probes: whether the process is alive, and whether it takes requests. */

import type { ModelStatus, Runtime } from '../../runtime/index.ts';
import { readiness } from './error-response.ts';
import type { AddRoute } from './managed-routes.ts';

/**
 * `/alive` and `/health` return 200 while the thread runs. `/ready` returns 200 while the thread takes requests and at
 * least one model is served or, with `MODEL_CONTROL_MODE=explicit`, before the first load; otherwise it returns 503. Its
 * body lists every version, with the reason if it is not served, the skipped entries of the repository, and notes about
 * what is not as it should be.
 * `/v2/health/ready` is stricter: every model must be ready.
 */
export function healthRoutes(add: AddRoute, runtime: Runtime): void {
  add('/alive', (c) => c.json({ status: 'alive' }));
  add('/health', (c) => c.json({ status: 'ok', ready: runtime.ready() }));
  add('/ready', (c) => {
    const models = runtime.models();
    const ready = runtime.ready();
    const skipped = runtime.repository.skipped();
    const notes = runtime.notes();
    const body = {
      status: ready ? 'ready' : whyNot(runtime, models),
      models,
      ...(skipped.length === 0 ? {} : { skipped }),
      ...(notes.length === 0 ? {} : { notes }),
    };
    return c.json(body, readiness(ready));
  });
}

function whyNot({ admission }: Runtime, models: readonly ModelStatus[]): string {
  if (admission.draining) return 'draining';
  const stuck = models.some(({ versions }) => versions.some(({ state }) => state === 'stuck'));
  return stuck ? 'no model answers' : 'no model is loaded';
}
