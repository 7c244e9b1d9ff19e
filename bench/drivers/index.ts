/** @module Every load driver; the first is the default. */
import { driver as autocannon } from './autocannon.ts';
import type { Driver } from './types.ts';
import { driver as wrk } from './wrk.ts';

export const drivers: readonly Driver[] = [autocannon, wrk];
