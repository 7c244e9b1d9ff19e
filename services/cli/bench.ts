/** @module `millrace bench`: load on one route of a server, with a report that can be checked against objectives. */

import { type Command, InvalidArgumentError } from 'commander';
import { type Report, runLoad } from '../tools/bench/index.ts';
import { fields, print } from './output.ts';
import { credentials, Refused, type ServerOptions, Unreachable, withServer } from './server.ts';
import { toObject, toWhole } from './values.ts';

interface BenchOptions extends ServerOptions {
  readonly path: string;
  readonly body: object;
  readonly connections: number;
  readonly rate?: number;
  readonly seconds: number;
  readonly sloP99Ms?: number;
  readonly sloErrors?: number;
}

/** The body that works with the demonstration model. */
const BODY = { features: [5.1, 3.5, 1.4, 0.2] };

export function addBench(program: Command): void {
  withServer(
    program.command('bench').description('Send load to a route and report how it responds'),
  )
    .option('--path <path>', 'the route', '/predict')
    .option('--body <json>', 'the body of each request', toObject, BODY)
    .option('--connections <n>', 'clients that each wait for their response', toWhole, 8)
    .option('--rate <n>', 'requests per second, sent whether or not responses arrive', toPositive)
    .option('--seconds <n>', 'duration', toPositive, 10)
    .option('--slo-p99-ms <n>', 'fail if the 99th percentile is longer', toPositive)
    .option('--slo-errors <share>', 'fail if more of the requests fail, such as 0.001', toShare)
    .addHelpText('after', '\nThe exit code is 1 if an objective is missed.')
    .action(bench);
}

async function bench(options: BenchOptions): Promise<void> {
  const { url, path, body, token, connections, rate, seconds } = options;
  const report = await runLoad({
    ...{ url: new URL(path, url).href, body: JSON.stringify(body), connections, rate, seconds },
    headers: credentials(token),
  });
  if (report.requests > 0 && report.failed === report.requests) {
    const reachable = await fetch(url).then(
      () => true,
      () => false,
    );
    if (!reachable) throw new Unreachable(`No server responds at ${url}`);
  }
  print(options, report, (value) => fields(rounded(value)));
  const missed = missedObjective(report, options);
  if (missed !== undefined) throw new Refused(missed, null);
}

const rounded = (report: Report) =>
  Object.fromEntries(
    Object.entries(report).map(([name, value]) => [
      name,
      typeof value === 'number' ? Number(value.toPrecision(4)) : value,
    ]),
  );

function missedObjective(
  { requests, failed, p99_ms }: Report,
  { sloP99Ms, sloErrors }: BenchOptions,
): string | undefined {
  if (sloErrors !== undefined && failed > sloErrors * requests) {
    return `Of ${requests} requests ${failed} failed, more than the share ${sloErrors}.`;
  }
  if (sloP99Ms === undefined || (p99_ms !== undefined && p99_ms <= sloP99Ms)) return undefined;
  const measured = p99_ms === undefined ? 'unknown' : `${p99_ms.toFixed(2)} ms`;
  return `The 99th percentile is ${measured}, and the objective is ${sloP99Ms} ms.`;
}

function toPositive(given: string): number {
  const number = Number(given);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new InvalidArgumentError('Write a number greater than 0.');
}

function toShare(given: string): number {
  const share = Number(given);
  if (given.trim() !== '' && share >= 0 && share <= 1) return share;
  throw new InvalidArgumentError('Write a number from 0 to 1.');
}
