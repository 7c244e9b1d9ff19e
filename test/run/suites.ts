/**
 * The suites of `npm test` and `npm run verify`, as data. A new kind of test is a new row.
 * .github/decisions/0026-two-runs-and-suites-side-by-side.md says which run has which suite, and why.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { alwaysUsed, type Build, build, cpp, folderOf, root } from './cpp.ts';
import { type RuntimeName, runtimes } from './runtimes.ts';
import type { Environment, Preparation, Suite } from './types.ts';

/** Tests that depend on measured times, which concurrent tests would distort. */
const measuring = [
  'test/native/{costs,deadlines,limits}.test.ts',
  'test/bench/{open-loop,throughput}.test.ts',
  'test/runtime/text/{hostile-texts,tokenizer-turns}.test.ts',
  'test/services/inference/queue.test.ts',
  'test/services/nlp/errors.test.ts',
];

/** Tests of whole processes that concern what is the same on every runtime. */
const alikeOnAll = [
  'test/e2e/{counters,devices,junk,npm,pages,playground,readme,statistics}.test.ts',
];

/** Tests that take minutes, which only `npm run verify` runs. */
const long = ['test/{fuzz,soak}/**'];

/** Tests with many hostile requests, which measure memory and the waiting time of other requests. */
const storms = ['test/e2e/{hostile-bodies,turns}.test.ts'];

const python = '.millrace/python/bin/python';

const clientsSetUp: Preparation = {
  name: 'set-up of clients',
  place: '.millrace',
  steps: [() => ['node', 'services/cli/setup.mjs', '--clients']],
};

/** Tests with clients in Python, of a server on one of the runtimes. */
const clients = (
  name: string,
  runtime: RuntimeName,
  modules: string,
  rest: Partial<Suite> = {},
): Suite => ({
  name,
  files: [`test/interop/${modules}.py`],
  needs: () => clientsSetUp,
  absent: () => (existsSync(python) ? undefined : 'the set-up has no Python clients'),
  command: (found, report) => [
    ...[python, '-m', 'pytest', `--runtime=${runtime}`, `--junitxml=${report}`],
    ...found,
  ],
  env: { PYTHONDONTWRITEBYTECODE: '1' },
  ...rest,
});

/** The output of a sanitizer, which is checked because Bun exits with 0 nevertheless. */
export const sanitizerReport = /(?:ERROR|WARNING): \w+Sanitizer|Sanitizer: CHECK|: runtime error: /;

const sanitizerOptions: Environment = {
  // Deno and Bun are not instrumented, and exit before their own memory is freed.
  ASAN_OPTIONS: 'detect_leaks=0',
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1:ignore_noninstrumented_modules=1',
  // The collector thread of Bun stops others with a signal and waits for them, but ThreadSanitizer delivers signals late.
  BUN_JSC_useConcurrentGC: '0',
};

const sanitizerLibraries = { address: 'libasan.so.8', thread: 'libtsan.so.2' };
type Sanitizer = keyof typeof sanitizerLibraries;

/** UBSan more than doubles the time to compile, so only `npm run verify` has it, together with AddressSanitizer. */
const buildOf: Readonly<Record<'test' | 'verify', Readonly<Record<Sanitizer, Build>>>> = {
  test: { address: 'address', thread: 'thread' },
  verify: { address: 'address-undefined', thread: 'thread' },
};

/** What `npm test` builds with a sanitizer: the addon, and the C++ tests that concern it. */
const quickTargets: Readonly<Record<Sanitizer, readonly string[]>> = {
  address: ['millrace', 'millrace-memory-tests', 'millrace-codec-tests', 'millrace-device-tests'],
  thread: ['millrace', 'millrace-thread-tests', 'millrace-stress', 'millrace-device-tests'],
};

/** The tests of the addon against a build of it with a sanitizer, whose library the runtime preloads. */
const sanitized = (
  runtime: RuntimeName,
  sanitizer: Sanitizer,
  run: 'test' | 'verify',
  files: readonly string[],
): Suite => ({
  name: `${runtime}: addon with ${sanitizer} sanitizer`,
  run,
  changed: 'never',
  files: files.map((name) => `test/native/${name}.test.ts`),
  needs: () =>
    build(buildOf[run][sanitizer], run === 'test' ? { targets: quickTargets[sanitizer] } : {}),
  command: runtimes[runtime],
  inputs: [
    `${folderOf(buildOf[run][sanitizer])}/millrace.node`,
    '{native,test/native,test/support}/**/*.ts',
    ...alwaysUsed,
  ],
  env: {
    ...sanitizerOptions,
    // Bun and Deno load the C++ library too late for the sanitizer, which intercepts its functions.
    LD_PRELOAD: `${sanitizerLibraries[sanitizer]}:libstdc++.so.6`,
    MILLRACE_TEST_ADDON: path.join(root, folderOf(buildOf[run][sanitizer]), 'millrace.node'),
  },
  alarm: sanitizerReport,
});

const sanitizers = ['address', 'thread'] as const;
const runtimeNames = ['bun', 'deno', 'node'] as const;

/** Test files on one runtime, divided among the cores. */
const testsOn = (runtime: RuntimeName, rest: Partial<Suite>): Suite => ({
  name: runtime,
  alone: measuring,
  split: true,
  command: runtimes[runtime],
  env: { DENO_NO_UPDATE_CHECK: '1' },
  ...rest,
});

/** Where a sanitizer looks for something else than what many runs would show. */
const fewRuns = { PROPERTY_RUNS: '500', SCHEDULES: '200' };

/** The suites in the order of their start: short ones, then those that wait for builds, then the rest. */
export const suites: readonly Suite[] = [
  {
    name: 'ok: format and lint',
    command: () => ['node_modules/.bin/biome', 'check', '--error-on-warnings'],
    changed: 'always',
  },
  { name: 'ok: types', command: () => ['node_modules/.bin/tsc'], changed: 'always' },
  {
    name: 'ok: rules',
    files: ['test/rules/**/*.test.ts'],
    command: runtimes.bun,
    changed: 'always',
  },
  clients('clients', 'bun', 'test_{http,grpc,grpcurl,onnx_nodes,signing}'),
  // This client has its own suite, because its messages have the same names as those of Triton's client.
  clients('clients: KServe', 'bun', 'test_kserve', { changed: 'never' }),
  clients('clients: texts', 'bun', 'test_{openai,huggingface,cohere}'),
  clients('clients: on Deno', 'deno', 'test_{http,grpc,openai,huggingface,cohere}', {
    changed: 'never',
  }),
  cpp('plain', 'plain', {
    run: 'test',
    labels: ['-LE', 'alone|long'],
    env: { PROPERTY_RUNS: '1000' },
  }),
  cpp('plain', 'plain', { run: 'verify', labels: ['-LE', 'alone'] }),
  cpp('real time', 'plain', {
    files: ['test/native/cpp/**/*real_time_test.cc'],
    alone: true,
    labels: ['-L', 'alone'],
  }),
  {
    name: 'gpu: providers',
    needs: () => build('plain', { targets: ['millrace-gpu-tests'] }),
    // These tests skip themselves with a reason if there is no GPU.
    command: (_files, report) => [
      `${folderOf('plain')}/test/native/cpp/gpu/millrace-gpu-tests`,
      `--gtest_output=xml:${report}`,
    ],
    changed: 'never',
  },
  cpp('address sanitizer', 'address', {
    run: 'test',
    changed: 'never',
    labels: ['-L', 'memory|devices'],
    targets: quickTargets.address,
  }),
  cpp('thread sanitizer', 'thread', {
    run: 'test',
    changed: 'never',
    labels: ['-L', 'threads|devices'],
    env: { STRESS_OPERATIONS: '200000' },
    targets: quickTargets.thread,
  }),
  ...sanitizers.flatMap((sanitizer) => [
    sanitized('node', sanitizer, 'test', [
      ...['batching', 'generation-ends', 'matrix', 'shapes', 'transfer', 'workers'],
    ]),
    cpp(`${sanitizer} sanitizer`, buildOf.verify[sanitizer], { run: 'verify', env: fewRuns }),
    ...runtimeNames.map((runtime) =>
      // Only tests of threads, because a sanitizer slows everything down many times.
      sanitized(runtime, sanitizer, 'verify', [
        ...['batching', 'generation-ends', 'generation-threads', 'matrix', 'shapes', 'stats'],
        ...['transfer', 'workers'],
      ]),
    ),
  ]),
  testsOn('bun', {
    files: ['test/**/*.test.ts'],
    except: ['test/rules/**', ...long, ...storms],
  }),
  testsOn('deno', {
    run: 'test',
    files: [
      'test/{native,contract,e2e,services/http,services/nlp,services/prediction}/**/*.test.ts',
      'test/runtime/{host,text}/**/*.test.ts',
    ],
    except: [...storms, ...measuring, ...alikeOnAll],
  }),
  testsOn('deno', {
    run: 'verify',
    files: ['test/{native,contract,e2e,runtime,services}/**/*.test.ts'],
    except: storms,
  }),
  testsOn('node', {
    run: 'test',
    changed: 'never',
    files: ['test/native/**/*.test.ts'],
    except: measuring,
  }),
  testsOn('node', { run: 'verify', changed: 'never', files: ['test/native/**/*.test.ts'] }),
  {
    name: 'fuzz',
    run: 'verify',
    files: ['test/fuzz/*.test.ts'],
    command: runtimes.bun,
    env: { FUZZ_SECONDS: process.env.FUZZ_SECONDS ?? '120' },
  },
  ...runtimeNames.map(
    (runtime): Suite => ({
      name: `soak: life cycle on ${runtime}`,
      run: 'verify',
      files: ['test/native/{exit,generation-threads,worker-exit}.test.ts'],
      command: runtimes[runtime],
      env: { REPETITIONS: '100' },
    }),
  ),
  ...(['bun', 'deno'] as const).map(
    (runtime): Suite => ({
      name: `storms on ${runtime}`,
      run: 'verify',
      alone: true,
      files: storms,
      command: runtimes[runtime],
    }),
  ),
  {
    name: 'soak',
    run: 'verify',
    alone: true,
    files: ['test/soak/**/*.test.ts'],
    command: runtimes.bun,
    env: { SOAK: '1' },
  },
];
