/**
 * Native driver: our batcher and session without HTTP and without JavaScript. One C++ thread keeps
 * `width` requests in flight.
 *
 * @module
 */
import { nativeCommand } from './native-command.ts';
import type { NativeContender } from './types.ts';

export const contender: NativeContender = {
  kind: 'native',
  name: 'native-driver',
  title: 'our batcher, no HTTP',
  command: (run) => nativeCommand('native-driver', run),
};
