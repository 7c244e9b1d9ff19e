/** @module The page for Prometheus. */

import type { Runtime } from '../../runtime/index.ts';
import type { AddControl } from './control.ts';

export function metricsRoute(add: AddControl, { metrics }: Runtime): void {
  add('/metrics', async (c) =>
    c.body(await metrics.render(), 200, { 'Content-Type': metrics.contentType }),
  );
}
