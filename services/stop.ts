/** @module The way out: an orderly stop, which is given up after a while. */

import type { Log } from '../runtime/index.ts';
import type { Service } from './service.ts';

/** Stops the service, then ends the process: with 0, or with 1 when requests were not completed in `timeoutMs`. */
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
