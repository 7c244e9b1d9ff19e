/**
 * What `npm test` runs, as data. A new kind of test is a new row.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

type CommandLine = readonly string[];
type Environment = Readonly<Record<string, string>>;

/** Command line that runs test files and writes a JUnit report. */
export type TestCommand = (files: readonly string[], report: string) => CommandLine;

export interface Suite {
  /** Shown in the summary and matched by `--only`. */
  readonly name: string;
  /** Globs of the test files, from the top folder. Each must match something. */
  readonly files?: readonly string[];
  /** Globs taken away from `files`. */
  readonly except?: readonly string[];
  /** Why it cannot run on this machine, which skips it; undefined where it can. */
  readonly absent?: () => string | undefined;
  /** Commands that must succeed first, such as a build. They count as no test. */
  readonly prepare?: readonly CommandLine[];
  /** Without files and without a report, the command itself is one test, passed with exit code 0. */
  readonly command: TestCommand;
  /** Set for `command`, not for `prepare`. */
  readonly env?: Environment;
  /** Output that fails the suite whatever the exit code. */
  readonly alarm?: RegExp;
}

const bun: TestCommand = (files, report) => [
  ...['node_modules/.bin/bun', 'test', '--only-failures', '--timeout=60000'],
  ...['--reporter=junit', `--reporter-outfile=${report}`],
  ...files.map((file) => `./${file}`),
];

// The npm wrapper around Deno leaves it running when it is killed itself.
const deno: TestCommand = (files, report) => [
  `node_modules/@deno/linux-${process.arch}-glibc/deno`,
  ...['test', '-A', '--no-check', `--junit-path=${report}`, ...files],
];

const node: TestCommand = (files, report) => [
  ...['node', '--import', 'tsx', '--test'],
  ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
  ...['--test-reporter=junit', `--test-reporter-destination=${report}`],
  ...files,
];

const python = '.millrace/python/bin/python';

/** Tests with clients in Python, of a server that one of the runtimes runs. */
const clients = (name: string, runtime: string, files: readonly string[]): Suite => ({
  name,
  files,
  absent: () => (existsSync(python) ? undefined : 'the set-up has no Python clients'),
  command: (found, report) => [
    ...[python, '-m', 'pytest', `--runtime=${runtime}`, `--junitxml=${report}`],
    ...found,
  ],
  env: { PYTHONDONTWRITEBYTECODE: '1' },
});

/** What a sanitizer prints. Bun's exit code hides it. */
export const sanitizerReport = /(?:ERROR|WARNING): \w+Sanitizer|Sanitizer: CHECK|: runtime error: /;

const sanitizerOptions: Environment = {
  // Deno and Bun exit before their own memory is freed, and are not instrumented.
  ASAN_OPTIONS: 'detect_leaks=0',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1:ignore_noninstrumented_modules=1',
};

/** The builds of the C++ tests: the sanitizers of each. With one, the addon is built as well. */
const sanitizersOf = { plain: '', address: 'address,undefined', thread: 'thread' } as const;
type Build = keyof typeof sanitizersOf;
const folderOf = (build: Build) => `build-test/${build}`;

const make = (build: Build): readonly CommandLine[] => [
  [
    ...['cmake', '-S', '.', '-B', folderOf(build), '-DMILLRACE_TESTS=ON'],
    `-DMILLRACE_SANITIZE=${sanitizersOf[build]}`,
    // Where the set-up puts what the machine does not have.
    `-DCMAKE_PREFIX_PATH=${root}/.millrace/googletest;${root}/.millrace/relacy/usr`,
    `-DCMAKE_JS_INC=${build === 'plain' ? '' : `${root}/node_modules/node-api-headers/include`}`,
  ],
  ['cmake', '--build', folderOf(build), '--parallel', String(availableParallelism())],
];

/** The C++ tests, which ctest runs. */
function cpp(build: Build): Suite {
  const plain = build === 'plain';
  return {
    name: `c++: ${build}${plain ? '' : ' sanitizer'}`,
    prepare: make(build),
    command: (_files, report) => [
      ...['ctest', '--test-dir', folderOf(build), '--output-on-failure', '--no-tests=error'],
      ...['--parallel', String(availableParallelism())],
      ...['--output-junit', report],
    ],
    env: {
      UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
      TSAN_OPTIONS: 'halt_on_error=1',
      // Where a sanitizer looks for something else than what many runs would show.
      ...(plain ? {} : { PROPERTY_RUNS: '500', SCHEDULES: '200' }),
    },
  };
}

/** The tests of the addon against a build of it with a sanitizer, whose library the runtime preloads. */
function sanitized(
  runtime: string,
  command: TestCommand,
  sanitizer: Exclude<Build, 'plain'>,
  library: string,
): Suite {
  return {
    name: `${runtime}: addon with ${sanitizer} sanitizer`,
    // Where threads meet: a sanitizer slows everything down many times over.
    files: ['batching', 'matrix', 'shapes', 'stats', 'transfer', 'workers'].map(
      (name) => `test/native/${name}.test.ts`,
    ),
    prepare: make(sanitizer),
    command,
    env: {
      ...sanitizerOptions,
      // The sanitizer wraps functions of the C++ library, which Bun and Deno load too late for it.
      LD_PRELOAD: `${library}:libstdc++.so.6`,
      MILLRACE_TEST_ADDON: path.join(root, folderOf(sanitizer), 'millrace.node'),
    },
    alarm: sanitizerReport,
  };
}

const runtimes: Readonly<Record<string, TestCommand>> = { bun, deno, node };

export const suites: readonly Suite[] = [
  {
    name: 'ok: format and lint',
    command: () => ['node_modules/.bin/biome', 'check', '--error-on-warnings'],
  },
  { name: 'ok: types', command: () => ['node_modules/.bin/tsc'] },
  { name: 'ok: rules', files: ['test/rules/**/*.test.ts'], command: bun },
  { name: 'bun', files: ['test/**/*.test.ts'], except: ['test/rules/**'], command: bun },
  {
    name: 'deno',
    files: [
      'test/native/**/*.test.ts',
      'test/runtime/**/*.test.ts',
      'test/services/**/*.test.ts',
      'test/e2e/**/*.test.ts',
      'test/contract/**/*.test.ts',
    ],
    command: deno,
    env: { DENO_NO_UPDATE_CHECK: '1' },
  },
  { name: 'node', files: ['test/native/**/*.test.ts'], command: node },
  clients('clients', 'bun', ['test/interop/test_{http,grpc,grpcurl,onnx_nodes}.py']),
  // By itself: its messages have the names of those of Triton's client.
  clients('clients: KServe', 'bun', ['test/interop/test_kserve.py']),
  clients('clients: on Deno', 'deno', ['test/interop/test_{http,grpc}.py']),
  cpp('plain'),
  {
    name: 'gpu: providers',
    prepare: make('plain'),
    // Skips itself, with the reason, where there is no GPU.
    command: (_files, report) => [
      `${folderOf('plain')}/test/native/cpp/gpu/millrace-gpu-tests`,
      `--gtest_output=xml:${report}`,
    ],
  },
  cpp('address'),
  cpp('thread'),
  ...Object.entries(runtimes).flatMap(([name, command]) => [
    sanitized(name, command, 'address', 'libasan.so.8'),
    sanitized(name, command, 'thread', 'libtsan.so.2'),
  ]),
];
