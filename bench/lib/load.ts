/**
 * Generates load on a server, or on a model in this process: closed loops, whose clients wait for a response before they
 * send again, and open loops, whose requests are sent when they are due.
 *
 * @module
 */

/** The event loop's turns and its clock, milliseconds. */
export interface Turns {
  now(): number;
  /** Resolves in a later turn, at the latest after `gapMs`. */
  next(gapMs: number): Promise<void>;
}

/** Maximum delay of the runtimes' timers, milliseconds. */
const TIMER_SLACK_MS = 2;

/** Turns without sleep while something is due soon, and with sleep in longer gaps. */
export const eagerTurns: Turns = {
  now: () => performance.now(),
  next: (gapMs) =>
    new Promise((resolve) => {
      if (gapMs > TIMER_SLACK_MS && gapMs < Number.POSITIVE_INFINITY) {
        setTimeout(resolve, gapMs - TIMER_SLACK_MS);
      } else {
        setImmediate(resolve);
      }
    }),
};

/** Sends one request; resolves with its response, and rejects if it fails. */
export type Send = () => Promise<unknown>;

export interface ClosedLoop {
  readonly clients: number;
  /** Time between a response and the client's next request, milliseconds. */
  readonly roundTrip: () => number;
  /** Time before the measurement, for clients and server to reach a steady state, milliseconds. */
  readonly warmUpMs: number;
  readonly milliseconds: number;
}

export interface LoadFigures {
  /** Latencies of the responses within the measured time, milliseconds. */
  readonly latencies: Float64Array;
  readonly perSecond: number;
}

/** Runs a closed loop. @throws the error with which `send` rejects. */
export async function closedLoop(
  send: Send,
  { clients, roundTrip, warmUpMs, milliseconds }: ClosedLoop,
  turns: Turns,
): Promise<LoadFigures> {
  const began = turns.now();
  const from = began + warmUpMs;
  const until = from + milliseconds;
  // The loop continues without any response, for example if the machine stood still, because there is no measurement yet.
  const over = (now: number) => now >= until && latencies.length > 0;
  const latencies: number[] = [];
  /** When each client sends next; infinite while it waits for a response. */
  const due = Float64Array.from({ length: clients }, () => began + roundTrip());
  let broken: { error: unknown } | undefined;
  let waiting = 0;
  const sendFrom = async (client: number) => {
    due[client] = Number.POSITIVE_INFINITY;
    waiting += 1;
    const sentAt = turns.now();
    try {
      await send();
      const respondedAt = turns.now();
      if (respondedAt >= from && !over(respondedAt)) latencies.push(respondedAt - sentAt);
      due[client] = respondedAt + roundTrip();
    } catch (error) {
      broken ??= { error };
    }
    waiting -= 1;
  };
  let now = began;
  for (; !over(now) && broken === undefined; now = turns.now()) {
    for (let client = 0; client < clients; client += 1) {
      if (due[client]! <= now) void sendFrom(client);
    }
    // There is no sleep, because a response may come in any turn.
    await turns.next(0);
  }
  const perSecond = (latencies.length * 1000) / (Math.max(until, now) - from);
  while (waiting > 0) await turns.next(0);
  if (broken !== undefined) throw broken.error;
  return { latencies: Float64Array.from(latencies), perSecond };
}

/**
 * Sends each request when it is due, whether or not earlier ones have their responses. `send` gets the time at which the
 * request was due. Latency counts from that time, so delays of this loop or of the server are included (no coordinated
 * omission). Resolves when all are sent.
 *
 * @param due Milliseconds from now, ascending.
 */
export async function openLoop(
  send: (dueAt: number) => void,
  due: Float64Array,
  turns: Turns,
): Promise<void> {
  const began = turns.now();
  for (let next = 0; next < due.length; ) {
    const now = turns.now();
    for (; next < due.length && began + due[next]! <= now; next += 1) send(began + due[next]!);
    if (next < due.length) await turns.next(began + due[next]! - now);
  }
}
