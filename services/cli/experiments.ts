/** @module `millrace experiments`: how the versions of a model compare. */

import type { Command } from 'commander';
import { print, table } from './output.ts';
import { path, Server, type ServerOptions, withServer } from './server.ts';

interface Arm {
  readonly arm: string;
  readonly version: string;
  readonly requests: number;
  readonly errors: number;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly agreement: number | null;
  readonly feedback: { readonly count: number; readonly accuracy: number | null };
}

interface Report {
  readonly arms: readonly Arm[];
  readonly pairs: readonly { readonly sentence: string }[];
}

export function addExperiments(program: Command): void {
  withServer(
    program.command('experiments').description('Compare the versions that share the requests'),
  )
    .requiredOption('--name <name>', 'the model')
    .action(async ({ name, ...options }: ServerOptions & { name: string }) => {
      const report = await new Server(options).get<Report>(
        path('admin', 'models', name, 'experiments'),
      );
      print(options, report, text);
    });
}

function text({ arms, pairs }: Report): string {
  const head = [
    'arm',
    'version',
    'requests',
    'errors',
    'p50 ms',
    'p99 ms',
    'agreement',
    'accuracy',
  ];
  const rows = arms.map((arm) => [
    ...[arm.arm, arm.version, arm.requests, arm.errors],
    ...[arm.p50_ms, arm.p99_ms, arm.agreement, arm.feedback.accuracy].map(short),
  ]);
  return [table(head, rows), ...pairs.map(({ sentence }) => sentence)].join('\n');
}

/** A number with three digits that count, for people. */
const short = (value: number | null): number | null =>
  value === null ? null : Number(value.toPrecision(3));
