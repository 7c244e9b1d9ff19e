/** @module Examines the engine. */

import { openEngine } from '../../../native/index.ts';
import type { Config } from '../../../runtime/index.ts';
import type { Found } from './check.ts';

/** Whether the library has the execution provider of `DEVICE`. Only a load proves that it works. */
export async function engine({ device, ortLibrary }: Config): Promise<Found> {
  const opened = openEngine(ortLibrary === undefined ? {} : { library: ortLibrary });
  const { onnxRuntimeVersion, providers } = opened.info;
  await opened.close();
  const detail = `ONNX Runtime ${onnxRuntimeVersion}, DEVICE=${device}, providers: ${providers.join(', ')}`;
  const [kind] = device.split(':');
  const needed = { cuda: 'CUDA', tensorrt: 'Tensorrt' }[kind!];
  if (needed === undefined || providers.includes(`${needed}ExecutionProvider`)) {
    return { state: 'ok', detail };
  }
  const remedy = 'name a GPU build of ONNX Runtime in ORT_LIBRARY, or set DEVICE=auto';
  return { state: 'failed', detail, remedy };
}
