/** @module Examines the engine. */

import { Buffer } from 'node:buffer';
import { openEngine } from '../../../native/index.ts';
import type { Config } from '../../../runtime/index.ts';
import type { Found } from './check.ts';

/** An ONNX model of one node, `y = Relu(x)`, each of them one float. */
const MODEL =
  'CAgSADozCgwKAXgSAXkiBFJlbHUSAWdaDwoBeBIKCggIARIECgIIAWIPCgF5EgoKCAgBEgQKAggBQgQKABAN';

/** Whether a model can be loaded on `DEVICE`, which only a load proves. */
export async function engine({ device, ortLibrary }: Config): Promise<Found> {
  const opened = openEngine(ortLibrary === undefined ? {} : { library: ortLibrary });
  const detail = `ONNX Runtime ${opened.info.onnxRuntimeVersion}, DEVICE=${device}`;
  try {
    const { report } = await opened.load({
      ...{ bytes: Buffer.from(MODEL, 'base64'), name: 'of this check' },
      ...{ device, batching: false, warmupMs: 0 },
    });
    const { fallback } = report;
    return { state: 'ok', detail: fallback ? `${detail}, on the CPU: ${fallback}` : detail };
  } catch (error) {
    return { state: 'failed', detail: `${detail}: ${(error as Error).message}` };
  } finally {
    await opened.close();
  }
}
