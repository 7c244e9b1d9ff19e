/** @module What models cost to run, kept between two starts. */

import type { Engine } from '../native/index.ts';
import type { Log } from './log.ts';

/**
 * An engine like `engine` whose models keep what their runs cost in `folder`: the next start knows at
 * once which batch sizes pay and which deadlines can be made. A cache that is damaged or cannot be
 * written is a line in the log.
 */
export function withCostCache(engine: Engine, folder: string, log: Log): Engine {
  const notice = (sentence: string) => log.warn(sentence);
  return {
    info: engine.info,
    counters: engine.counters,
    codec: engine.codec,
    load: (options) => engine.load({ cacheDir: folder, notice, ...options }),
    close: () => engine.close(),
  };
}
