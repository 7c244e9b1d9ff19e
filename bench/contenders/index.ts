/** @module Every contender, in the order in which they take turns. */
import { contender as bareFloor } from './bare-floor.ts';
import { contender as edgeFloor } from './edge-floor.ts';
import { contender as nativeDriver } from './native-driver.ts';
import { contender as onnxruntimeNode } from './onnxruntime-node.ts';
import { contender as ours } from './ours.ts';
import { contender as raw } from './raw.ts';
import type { Contender } from './types.ts';

export const contenders: readonly Contender[] = [
  raw,
  nativeDriver,
  bareFloor,
  edgeFloor,
  ours,
  onnxruntimeNode,
];
