/** @module Keeps the measured costs of models from one start to the next. */

import type { Engine } from '../native/index.ts';
import type { Log } from './log.ts';

/**
 * An engine like `engine` whose models keep what their runs cost in `folder`: the next start knows at
 * once which batch sizes are worthwhile and which deadlines can be met. A cache that is damaged or cannot be
 * written only causes a line in the log.
 */
export function withCostCache(engine: Engine, folder: string, log: Log): Engine {
  const notice = (sentence: string) => log.warn(sentence);
  return {
    info: engine.info,
    counters: engine.counters,
    codec: engine.codec,
    images: engine.images,
    inspect: (path) => engine.inspect(path),
    load: (options) => engine.load({ cacheDir: folder, notice, ...options }),
    loadGenerator: (options) => engine.loadGenerator({ cacheDir: folder, ...options }),
    close: () => engine.close(),
  };
}
