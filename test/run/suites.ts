/**
 * What `npm test` runs, as data. A new kind of test is a new row.
 *
 * @module
 */
import { availableParallelism } from 'node:os';

export interface Suite {
  /** Shown in the summary and matched by `--only`. */
  readonly name: string;
  /** Globs of the test files, from the top folder. Each must match something. */
  readonly files?: readonly string[];
  /** Globs taken away from `files`. */
  readonly except?: readonly string[];
  /** Commands that must succeed first, such as a build. They count as no test. */
  readonly prepare?: readonly (readonly string[])[];
  /**
   * The command line. One with files writes its JUnit report to `report`; one without, that leaves
   * no report, is itself a single test that passes with exit code 0.
   */
  command(files: readonly string[], report: string): readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const bun = 'node_modules/.bin/bun';
// The npm wrapper around Deno leaves it running when it is killed itself.
const deno = `node_modules/@deno/linux-${process.arch}-glibc/deno`;

const bunTest = (files: readonly string[], report: string) => [
  bun,
  'test',
  '--only-failures',
  '--timeout=60000',
  '--reporter=junit',
  `--reporter-outfile=${report}`,
  ...files.map((file) => `./${file}`),
];

/** The C++ tests, which ctest runs from a build folder of their own for each set of sanitizers. */
function cpp(name: string, sanitizers = '', env: Readonly<Record<string, string>> = {}): Suite {
  const folder = `build-test/${name}`;
  return {
    name: `c++: ${name}`,
    prepare: [
      [
        'cmake',
        '-S',
        '.',
        '-B',
        folder,
        '-DMILLRACE_TESTS=ON',
        `-DMILLRACE_SANITIZE=${sanitizers}`,
      ],
      ['cmake', '--build', folder, '--parallel', String(availableParallelism())],
    ],
    command: (_files, report) => [
      ...['ctest', '--test-dir', folder, '--output-on-failure', '--no-tests=error'],
      ...['--output-junit', report],
    ],
    env,
  };
}

export const suites: readonly Suite[] = [
  {
    name: 'ok: format and lint',
    command: () => ['node_modules/.bin/biome', 'check', '--error-on-warnings'],
  },
  { name: 'ok: types', command: () => ['node_modules/.bin/tsc'] },
  { name: 'ok: rules', files: ['test/rules/**/*.test.ts'], command: bunTest },
  {
    name: 'bun',
    files: ['test/**/*.test.ts'],
    except: ['test/rules/**'],
    command: bunTest,
  },
  {
    name: 'deno',
    files: ['test/native/**/*.test.ts', 'test/runtime/**/*.test.ts', 'test/services/**/*.test.ts'],
    command: (files, report) => [
      deno,
      'test',
      '-A',
      '--no-check',
      `--junit-path=${report}`,
      ...files,
    ],
    env: { DENO_NO_UPDATE_CHECK: '1' },
  },
  {
    name: 'node',
    files: ['test/native/**/*.test.ts'],
    command: (files, report) => [
      ...['node', '--import', 'tsx', '--test'],
      ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
      ...['--test-reporter=junit', `--test-reporter-destination=${report}`],
      ...files,
    ],
  },
  cpp('plain'),
  cpp('address', 'address,undefined', { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' }),
  cpp('thread', 'thread', { TSAN_OPTIONS: 'halt_on_error=1' }),
];
