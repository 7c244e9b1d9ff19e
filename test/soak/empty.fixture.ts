/** @module A Worker that does nothing. */
import { parentPort } from 'node:worker_threads';

parentPort!.postMessage('done');
