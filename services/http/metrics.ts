/** @module The metrics page for Prometheus. */

import type { Runtime } from '../../runtime/index.ts';
import type { AddRoute } from './managed-routes.ts';

export function metricsRoute(add: AddRoute, { metrics }: Runtime): void {
  add('/metrics', async (c) =>
    c.body(await metrics.render(), 200, { 'Content-Type': metrics.contentType }),
  );
}
