/** @module What versions are loaded with. */

import type { Engine } from '../../native/index.ts';
import { openTokenizers } from '../../runtime/index.ts';
import type { Loading } from '../../runtime/load-version.ts';

/** An engine with tokenizers, whose threads start with the first one that is loaded. */
export const loading = (engine: Engine): Loading => ({ engine, tokenizers: openTokenizers() });
