/**
 * @module The targets in `test/native/fuzz`, each for `FUZZ_SECONDS` (5), from the inputs that are
 * committed and those of earlier runs. What breaks a target is kept in `build-test/fuzz/found`.
 */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');
const sources = path.join(root, 'test/native/fuzz');
const build = path.join(root, 'build-test/fuzz');
const found = path.join(build, 'found/');
const seconds = Number(process.env.FUZZ_SECONDS ?? 5);

/** Whether clang is here and can link a fuzzer. */
function hasClang(): boolean {
  const source = 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }';
  const flags = ['-fsanitize=fuzzer,address,undefined', '-x', 'c++', '-', '-o', '/dev/null'];
  return spawnSync('clang++', flags, { input: source }).status === 0;
}

interface Ended {
  readonly code: number;
  readonly output: string;
}

function run(file: string, parameters: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const limits = { cwd: root, maxBuffer: 1 << 28 };
    execFile(file, parameters, limits, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, output: stdout + stderr });
    });
  });
}

async function must(file: string, parameters: readonly string[]): Promise<void> {
  const { code, output } = await run(file, parameters);
  assert.equal(code, 0, `${file} ${parameters.join(' ')}\n${output}`);
}

async function buildTargets(): Promise<void> {
  const definitions = ['-DMILLRACE_FUZZ=ON', '-DCMAKE_CXX_COMPILER=clang++'];
  await must('cmake', ['-S', '.', '-B', build, ...definitions]);
  const jobs = String(availableParallelism());
  await must('cmake', ['--build', build, '--target', 'fuzz', '--parallel', jobs]);
}

let built: Promise<void> | undefined;

/** Runs one target; its code is not 0 if it found something. */
async function fuzz(name: string, limit: number): Promise<Ended> {
  built ??= buildTargets();
  await built;
  const corpus = path.join(build, 'corpus', name);
  for (const folder of [corpus, found]) mkdirSync(folder, { recursive: true });
  return await run(path.join(build, 'test/native/fuzz', `fuzz-${name}`), [
    ...[`-max_total_time=${limit}`, '-max_len=2048', '-timeout=10', '-rss_limit_mb=2048'],
    ...[`-artifact_prefix=${found}${name}-`, '-print_final_stats=1'],
    ...[corpus, path.join(sources, 'corpus', name)],
  ]);
}

const targets = readdirSync(sources)
  .flatMap((file) => file.match(/^(\w+)_fuzz\.cc$/)?.[1] ?? [])
  .filter((name) => name !== 'control');

test('no input breaks a codec', {
  skip: hasClang() ? false : 'clang is missing: apt-get install clang libclang-rt-14-dev',
  timeout: 600_000 + targets.length * seconds * 1000,
}, async () => {
  const left = [...targets];
  const work = async () => {
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      const { code, output } = await fuzz(name, seconds);
      assert.equal(code, 0, `${name}: ${output.slice(-8000)}`);
      const executed = Number(output.match(/number_of_executed_units:\s*(\d+)/)?.[1]);
      console.log(`${name}: ${executed} inputs in ${seconds} s`);
      assert.ok(executed > 1000, `${name} tried only ${executed} inputs`);
    }
  };
  await Promise.all([work(), work()]);
});

test('a planted fault is found', {
  skip: hasClang() ? false : 'clang is missing: apt-get install clang libclang-rt-14-dev',
  timeout: 600_000,
}, async () => {
  const { code, output } = await fuzz('control', 60);
  assert.notEqual(code, 0);
  assert.match(output, /heap-buffer-overflow/);
});
