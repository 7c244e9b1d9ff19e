/** @module Signals, threads and the end of the process: the same on every host. */

import { readFileSync } from 'node:fs';
import process from 'node:process';
import {
  isMainThread,
  type MessagePort,
  parentPort,
  type Transferable,
  Worker,
  workerData,
} from 'node:worker_threads';

/** Calls `stop` once, at the first SIGTERM or SIGINT. */
export function onStopSignal(stop: () => void): void {
  let called = false;
  const once = () => {
    if (!called) stop();
    called = true;
  };
  process.on('SIGTERM', once);
  process.on('SIGINT', once);
}

/** Calls the listener with each error that nothing catches in this thread, which then goes on. */
export function onUncaughtError(listener: (error: unknown) => void): void {
  process.on('uncaughtException', listener);
  process.on('unhandledRejection', listener);
}

/** Ends the process. A message goes to the error stream as a line of its own. */
export function exit(code: number, message?: string): never {
  if (message !== undefined) process.stderr.write(`${message}\n`);
  process.exit(code);
}

/**
 * When a process was started, in ticks since the machine was; undefined if there is none, or it has ended. It tells a process
 * from an earlier one with the same number.
 */
export function startOfProcess(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold anything; the state is the first field after it, and the time of the start the twentieth.
    const fields = stat.slice(stat.lastIndexOf(')')).split(' ');
    // A process that has ended is listed until its parent asks for it, which the first one of a container may never do.
    return fields[1] === 'Z' ? undefined : fields[20];
  } catch {
    return undefined;
  }
}

/** A thread, for the thread that started it. */
export interface Thread {
  /** Copies a message to the thread, but for what of it is `moved`. */
  send(message: unknown, moved?: readonly Transferable[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Resolves when the thread is over, with the error that ended it if there was one. */
  readonly ended: Promise<Error | undefined>;
  /** Ends the thread at once, whatever it does. */
  kill(): void;
}

/** Runs a module in a thread of its own. `data` is copied to it, but for the channels in it that are `moved`. */
export function startThread(
  module: URL,
  data: unknown,
  moved: readonly MessagePort[] = [],
): Thread {
  const worker = new Worker(module, { workerData: data, transferList: [...moved] });
  return {
    send: (message, moved = []) => worker.postMessage(message, [...moved]),
    onMessage: (listener) => void worker.on('message', listener),
    ended: new Promise((resolve) => {
      worker.once('error', resolve);
      worker.once('exit', () => resolve(undefined));
    }),
    kill: () => void worker.terminate(),
  };
}

/** The thread that started this one, for this one. */
export interface Parent {
  readonly data: unknown;
  send(message: unknown): void;
  /** Keeps the thread alive until the function it returns is called, which ends it. */
  onMessage(listener: (message: unknown) => void): () => void;
}

/** Undefined on the main thread. */
export function parentThread(): Parent | undefined {
  if (isMainThread || parentPort === null) return undefined;
  const port = parentPort;
  return {
    data: workerData,
    send: (message) => port.postMessage(message),
    onMessage: (listener) => {
      port.on('message', listener);
      return () => {
        port.off('message', listener);
        // On Bun the thread ends by itself. On Deno, connections that are still open would keep it alive.
        if (process.versions.deno !== undefined) process.exit();
      };
    },
  };
}

/**
 * Makes the garbage collector of this thread run.
 *
 * @param bytes Memory outside its heap that it will free, of which it does not know.
 */
export function collectGarbage(bytes: number): void {
  if (process.versions.bun !== undefined) Bun.gc(true);
  // Elsewhere it cannot be called, but it runs if there is as much memory that it does know of. None of it is touched.
  else new ArrayBuffer(bytes);
}
