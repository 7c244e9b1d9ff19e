/** @module Shows the progress of the benchmark. */

export interface Progress {
  /** Reports that one more step is done. */
  step(text: string): void;
  /** Reports something that is not a step. */
  note(text: string): void;
}

/** Writes to stderr, so that stdout has only the report. @param now A clock, milliseconds. */
export function createProgress(
  steps: number,
  write: (text: string) => void,
  now: () => number,
): Progress {
  const started = now();
  let done = 0;
  return {
    step(text) {
      done += 1;
      const left = ((now() - started) / done) * (steps - done);
      write(`[${done}/${steps}] ${text} · ${duration(left)} left\n`);
    },
    note(text) {
      write(`${text}\n`);
    },
  };
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
