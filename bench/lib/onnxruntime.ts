/** @module */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The ONNX Runtime library that every contender uses: the one inside the npm package. */
export function onnxRuntimeLibrary(): string {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const platform = join('bin', 'napi-v6', process.platform, process.arch);
  return join(dirname(entry), platform, 'libonnxruntime.so.1');
}
