/** @module The line that says how far the benchmark has come. */

export interface Progress {
  /** One more step is done. */
  step(text: string): void;
  /** Something that counts as no step. */
  note(text: string): void;
}

/** Writes to stderr, so that stdout holds the report alone. @param now Milliseconds. */
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
