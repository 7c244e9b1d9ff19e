/** @module Measures contenders in turns, and compares each with the first. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Something whose rate is measured. */
export interface TurnContender {
  readonly name: string;
  /** Requests per second, measured for this many seconds. */
  readonly measure: (seconds: number) => Promise<number>;
}

export interface TurnRow {
  readonly name: string;
  /** Of each repeat. */
  readonly rates: readonly number[];
  readonly median: number;
  /** The ratio of the first contender's rate to this one's in the same repeat: median, least and largest. */
  readonly firstDividedByThis: readonly number[];
}

/**
 * Reads arguments `NAME=URL` and `NAME=COMMAND`. A command, which is whatever is no URL, prints JSON with the rate that it has
 * measured itself.
 *
 * @param send Sends requests to a server for some seconds; returns the requests per second.
 */
export function contendersOf(
  named: readonly string[],
  send: (url: string, seconds: number) => Promise<number>,
): TurnContender[] {
  return named.map((each) => {
    const at = each.indexOf('=');
    const what = each.slice(at + 1);
    const isServer = /^https?:/.test(what);
    const measure = (seconds: number) => (isServer ? send(what, seconds) : rateOf(what));
    return { name: each.slice(0, at), measure };
  });
}

async function rateOf(command: string): Promise<number> {
  const { stdout } = await promisify(execFile)('sh', ['-c', command]);
  const [rate] = Object.values(JSON.parse(stdout) as Record<string, number>);
  return rate!;
}

/**
 * Keeps connections busy, of which each sends its next request when it has the response to the last; returns the responses per
 * second.
 *
 * @param request Makes the request of a number, which counts up.
 * @throws if a response is an error
 */
export async function keepBusy(
  connections: number,
  seconds: number,
  request: (number: number) => Promise<Response>,
): Promise<number> {
  const started = performance.now();
  const until = started + seconds * 1000;
  let done = 0;
  const client = async (first: number) => {
    for (let i = first; performance.now() < until; i += connections) {
      const response = await request(i);
      if (!response.ok)
        throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
      await response.arrayBuffer();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, i) => client(i)));
  return (done * 1000) / (performance.now() - started);
}

/** Measures every contender once in each repeat, after a short run of each. */
export async function measureInTurns(
  contenders: readonly TurnContender[],
  seconds: number,
  repeats: number,
): Promise<readonly TurnRow[]> {
  const rates = contenders.map((): number[] => []);
  for (const { measure } of contenders) await measure(2);
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const [i, { measure }] of contenders.entries()) rates[i]!.push(await measure(seconds));
  }
  return contenders.map(({ name }, i) => {
    const ratios = sorted(rates[i]!.map((rate, repeat) => rates[0]![repeat]! / rate));
    return {
      name,
      rates: rates[i]!.map((rate) => rounded(rate, 1)),
      median: rounded(median(rates[i]!), 1),
      firstDividedByThis: [median(ratios), ratios[0]!, ratios.at(-1)!].map((each) =>
        rounded(each, 2),
      ),
    };
  });
}

const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)]!;
const rounded = (value: number, digits: number) => Number(value.toFixed(digits));
