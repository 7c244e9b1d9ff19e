/** @module A thread that tells whether a name is abandoned. */

import { parentPort, workerData } from 'node:worker_threads';
import { isAbandoned } from '../../../runtime/artifacts/index.ts';

parentPort!.postMessage(isAbandoned(workerData.name, workerData.modified));
