/**
 * What every contender exports.
 *
 * @module
 */
import type { Command } from '../lib/child.ts';
import type { BenchModel } from '../lib/models.ts';

/** The parameters of a contender. */
export interface Setup {
  readonly model: BenchModel;
  /** Folder of a model repository that has only this model. */
  readonly repository: string;
  /** Bytes of the response's body, which is as long for a floor as for ours. */
  readonly responseBytes: number;
}

/** The parameters of a native contender. */
export interface NativeRun {
  readonly model: BenchModel;
  /** Folder of the built native programs. */
  readonly programs: string;
  /** Binary file of float32: one row of input, then the scores expected for it. */
  readonly reference: string;
  readonly seconds: number;
  /** Rows in a run; for the driver, requests in flight. */
  readonly width: number;
  /** The number of sessions of the raw loop, which its instances share. Default: 1. */
  readonly sessions?: number;
}

/** An HTTP server with `POST /predict`; it prints a JSON line with its `port` when it is ready. */
export interface HttpContender {
  readonly kind: 'http';
  readonly name: string;
  readonly title: string;
  /** False for a floor: its response has the right shape and size, but does not come from a model. */
  readonly computes: boolean;
  command(setup: Setup): Command;
}

/** A program that checks its own outputs, then prints one JSON line, a `NativeResult`. */
export interface NativeContender {
  readonly kind: 'native';
  readonly name: string;
  readonly title: string;
  command(run: NativeRun): Command;
}

export type Contender = HttpContender | NativeContender;

export interface NativeResult {
  readonly items_per_second: number;
  /** CPU time of the whole process during the measurement, seconds. */
  readonly cpu_seconds: number;
  readonly seconds: number;
  /** Resident memory at the end, bytes. */
  readonly resident_bytes: number;
}

/** The type of the export `serve` of a TypeScript contender: opens a port and returns it. */
export type Serve = (setup: Setup) => number | Promise<number>;
