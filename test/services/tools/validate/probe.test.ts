/** @module Versions are tried in a real process with the real engine, also those that are meant to do harm. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import type { ServeError } from '../../../../runtime/index.ts';
import { probeInChild } from '../../../../services/tools/validate/index.ts';
import { temporaryFiles } from '../../../support/files.ts';
import { BOOL, constant, FLOAT, INT64, input, model, node, output } from '../../../support/onnx.ts';
import { until } from '../../../support/until.ts';
import { root } from '../../support.ts';

const MEBIBYTE = 1024 ** 2;

/** Tries a model file, within limits. */
async function probe(file: Buffer | string, limits: { memory?: number; timeoutMs?: number } = {}) {
  using files = temporaryFiles({ README: '' });
  const target = path.join(files.path, 'model.onnx');
  if (typeof file === 'string') copyFileSync(path.join(root, file), target);
  else writeFileSync(target, file);
  const { memory = 4096 * MEBIBYTE, timeoutMs = 60_000 } = limits;
  const run = probeInChild({
    ...{ device: 'cpu', engineCache: files.path, batchSize: undefined, ortLibrary: undefined },
    ...{ validationMemoryBytes: memory, validationTimeoutMs: timeoutMs },
  });
  return await run({ model: 'm', version: 'v1', folder: files.path, config: null });
}

const rejects = (work: Promise<unknown>, message: RegExp) =>
  assert.rejects(work, (error: ServeError) => {
    assert.equal(error.code, 'REJECTED', error.message);
    assert.match(error.message, message);
    return true;
  });

/** Turns a loop for ever: `y` is the number of its turns, which never ends. */
const endless = model([
  input('x', INT64, []),
  constant('one', [1], []),
  constant('trips', [9e15], []),
  node(
    'Loop',
    ['trips', '', 'x'],
    ['y'],
    [
      node('Identity', ['go'], ['go_out']),
      node('Add', ['count', 'one'], ['count_out']),
      input('turn', INT64, []),
      input('go', BOOL, []),
      input('count', INT64, []),
      output('go_out', BOOL, []),
      output('count_out', INT64, []),
      [2, 'body'],
    ],
  ),
  output('y', INT64, []),
]);

/** A few bytes that ask for 8 GiB of memory in one run. */
const greedy = model([
  input('x', FLOAT, [1]),
  constant('shape', [2 ** 31]),
  node('ConstantOfShape', ['shape'], ['huge']),
  node('Add', ['huge', 'x'], ['sum']),
  constant('axes', [0]),
  node('ReduceSum', ['sum', 'axes'], ['y']),
  output('y', FLOAT, [1]),
]);

/** Looks up a row that a table does not have, whatever its input is. */
const failing = model([
  input('x', INT64, [1]),
  constant('table', [1, 2]),
  constant('far', [7]),
  node('Mul', ['x', 'far'], ['zero_or_seven']),
  node('Add', ['zero_or_seven', 'far'], ['index']),
  node('Gather', ['table', 'index'], ['y']),
  output('y', INT64, [1]),
]);

describe('a version that is tried', () => {
  test('has its inputs, outputs and costs', async () => {
    const { inputs, outputs, costs } = await probe('models/iris/v1.0/model.onnx');
    assert.deepEqual(inputs, [{ name: 'features', datatype: 'FP32', shape: [-1, 4] }]);
    assert.deepEqual(outputs, [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 3] }]);
    assert.equal(costs[0]?.rows, 1);
    assert.ok(costs.every(({ ms }) => ms >= 0));
  });

  test('is rejected with the reason if it is no model', async () => {
    await rejects(probe('test/fixtures/models/broken/truncated.onnx'), /damaged or is no ONNX/);
  });

  test('is rejected if every run fails, and not if only zeros do not suit it', async () => {
    await rejects(probe(failing), /A run of it fails: /);
    const { outputs } = await probe('test/fixtures/models/ratio.onnx');
    assert.deepEqual(outputs, [{ name: 'y', datatype: 'INT64', shape: [2] }]);
  });

  test('is rejected when it takes too much memory', async () => {
    const memory = 900 * MEBIBYTE;
    await rejects(probe(greedy, { memory }), /more than 900 MiB of memory/);
  });

  test('is rejected when it takes too long', async () => {
    await rejects(probe(endless, { timeoutMs: 2500 }), /not ready within 2.5 s/);
  });

  test('does not outlive a server that is killed', async () => {
    using files = temporaryFiles({ README: '' });
    writeFileSync(path.join(files.path, 'model.onnx'), endless);
    const script = path.join(import.meta.dirname, 'server.fixture.ts');
    const deno = process.versions.deno === undefined ? [] : ['run', '-A', '--no-check'];
    const server = spawn(process.execPath, [...deno, script, files.path], { stdio: 'ignore' });
    const ended = new Promise((resolve) => server.once('close', resolve));
    await until(() => childrenOf(server.pid!).length > 0, 'the process that tries it has started');
    const [child] = childrenOf(server.pid!);
    server.kill('SIGKILL');
    await ended;
    await until(() => parentOf(child!) === undefined, 'it has ended');
  });
});

/** The parent of a process; undefined if it has ended. */
function parentOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return /^State:\s*Z/m.test(status) ? undefined : Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
  } catch {
    return undefined;
  }
}

const childrenOf = (pid: number): readonly number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((each) => each > 0 && parentOf(each) === pid);
