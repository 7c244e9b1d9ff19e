/** @module The CPU time of the calling thread, to the nanosecond. */
import { dlopen, ptr, read } from 'bun:ffi';

const CLOCK_THREAD_CPUTIME_ID = 3;

/**
 * Returns a function that reads the CPU time of the calling thread, milliseconds.
 *
 * `process.threadCpuUsage()` and /proc advance by scheduler ticks of several milliseconds while a
 * thread runs; this clock does not.
 */
export function threadClock(): () => number {
  const libc = dlopen('libc.so.6', { clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' } });
  // A timespec: two int64, of which the lower halves suffice. A BigInt would have to be garbage-collected.
  const timespec = new BigInt64Array(2);
  const pointer = ptr(timespec);
  return () => {
    libc.symbols.clock_gettime(CLOCK_THREAD_CPUTIME_ID, pointer);
    // The values are not read through the array: compiled code would reuse earlier values, because it sees no write.
    return read.u32(pointer, 0) * 1e3 + read.u32(pointer, 8) / 1e6;
  };
}
