/** @module Stops the services in order, within a time limit. */

import type { Log } from '../runtime/index.ts';
import type { Service } from './service.ts';

/** Stops the service, then ends the process: with 0, or with 1 if requests were not completed within `timeoutMs`. */
export async function stop(
  service: Service,
  timeoutMs: number,
  log: Log,
  exit: (code: number) => void,
): Promise<void> {
  log.info('stopping');
  const timer = setTimeout(() => {
    log.error({ ms: timeoutMs }, 'requests were not completed in time');
    exit(1);
  }, timeoutMs);
  await service.drain();
  await service.stop();
  clearTimeout(timer);
  log.info('stopped');
  exit(0);
}
