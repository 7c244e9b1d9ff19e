/**
 * The raw loop: a C++ loop on ONNX Runtime with tensors that are created once, at the fastest batch size, with the same
 * instances, threads and maximum batch as ours. Each instance runs `width` rows at a time.
 *
 * @module
 */
import { nativeCommand } from './native-command.ts';
import type { NativeContender } from './types.ts';

export const contender: NativeContender = {
  kind: 'native',
  name: 'raw',
  title: 'raw ONNX Runtime loop',
  command: (run) => nativeCommand('raw', run),
};
