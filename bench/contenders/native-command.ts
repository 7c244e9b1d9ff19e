/** @module */
import { join } from 'node:path';
import type { Command } from '../lib/child.ts';
import { onnxRuntimeLibrary } from '../lib/onnxruntime.ts';
import type { NativeRun } from './types.ts';

/** The command line that all native programs share; see `native/trial.h`. */
export function nativeCommand(program: string, run: NativeRun): Command {
  const { model } = run;
  const flags = {
    library: onnxRuntimeLibrary(),
    model: model.file,
    reference: run.reference,
    features: model.features,
    width: run.width,
    'max-rows': model.maxRows,
    instances: model.instances,
    threads: model.intraOpThreads,
    seconds: run.seconds,
    ...(run.sessions === undefined ? {} : { sessions: run.sessions }),
  };
  const options = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return { argv: [join(run.programs, `millrace-bench-${program}`), ...options] };
}
