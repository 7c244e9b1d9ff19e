/** @module Probes: is the process alive, and does it take requests. */

import type { Runtime } from '../../runtime/index.ts';
import type { AddControl } from './control.ts';
import { STATUS } from './problem.ts';

/**
 * `/alive` and `/health` answer as long as the thread runs; `/ready` only while it takes requests, and it
 * lists every version with the reason where one is not served.
 */
export function healthRoutes(add: AddControl, runtime: Runtime): void {
  add('/alive', (c) => c.json({ status: 'alive' }));
  add('/health', (c) => c.json({ status: 'ok', ready: runtime.ready() }));
  add('/ready', (c) => {
    const ready = runtime.ready();
    const status = ready ? 'ready' : runtime.admission.draining ? 'draining' : 'no model is loaded';
    const body = { status, models: runtime.models() };
    return c.json(body, (ready ? 200 : STATUS.DRAINING) as 200);
  });
}
