/** @module The commands with which each runtime runs test files. */
import type { TestCommand } from './types.ts';

const bun: TestCommand = (files, report) => [
  ...['node_modules/.bin/bun', 'test', '--only-failures', '--timeout=60000'],
  ...['--reporter=junit', `--reporter-outfile=${report}`],
  ...files.map((file) => `./${file}`),
];

// Killing the npm wrapper of Deno would leave Deno running, so it is started directly.
const deno: TestCommand = (files, report) => [
  `node_modules/@deno/linux-${process.arch}-glibc/deno`,
  ...['test', '-A', '--no-check', `--junit-path=${report}`, ...files],
];

const node: TestCommand = (files, report, { slots }) => [
  ...['node', '--import', 'tsx', '--test', `--test-concurrency=${slots}`],
  ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
  ...['--test-reporter=junit', `--test-reporter-destination=${report}`],
  ...files,
];

export const runtimes = { bun, deno, node };

export type RuntimeName = keyof typeof runtimes;
