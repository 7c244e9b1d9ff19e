/** @module Files that are meant to do harm are refused, or the process that tries them is ended, within the limits. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { probeInChild } from '../../../services/tools/validate/index.ts';
import { root } from '../../services/support.ts';
import { temporaryFiles } from '../../support/files.ts';
import {
  BOOL,
  constant,
  external,
  type Field,
  FLOAT,
  INT64,
  input,
  model,
  node,
  output,
} from '../../support/onnx.ts';

const MEMORY = 1024 ** 3;
const TIMEOUT_MS = 30_000;
/** Time in which a process is started and ended on a busy machine. */
const SLACK_MS = 20_000;

const y = output('y', FLOAT, [4]);
const x = input('x', FLOAT, [4]);
const add = (name: string): Field => node('Add', ['x', name], ['y']);
/** Adds numbers that lie in a file beside the model. */
const beside = (location: string) => model([x, external('w', [4], location), add('w'), y]);
/** Makes a tensor of this many zeros, and adds them up. */
const huge = (...sizes: readonly number[]) =>
  model([
    input('x', FLOAT, [1]),
    constant('shape', sizes),
    node('ConstantOfShape', ['shape'], ['zeros']),
    node('ReduceSum', ['zeros'], ['sum']),
    node('Add', ['sum', 'x'], ['y']),
    output('y', FLOAT, []),
  ]);
/** Runs the nodes for ever. */
const endless = (trips: number, nodes: readonly Field[]) =>
  model([
    input('x', INT64, []),
    constant('one', [1], []),
    constant('trips', [trips], []),
    node(
      'Loop',
      ['trips', '', 'x'],
      ['y'],
      [
        ...nodes,
        node('Identity', ['go'], ['go_out']),
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
const count = node('Add', ['count', 'one'], ['count_out']);
const iris = readFileSync(path.join(root, 'models/iris/v1.0/model.onnx'));
const broken = path.join(root, 'test/fixtures/models/broken');
const random = (length: number) => Buffer.from(Array.from({ length }, (_, i) => (i * 7919) % 251));
const nested = (depth: number): Field =>
  depth === 0 ? [1, [[4, 'Add']]] : [7, [nested(depth - 1)]];

/** Model files by what is wrong with them. */
const models: Readonly<Record<string, Buffer>> = {
  ...Object.fromEntries(
    readdirSync(broken).map((name) => [name, readFileSync(path.join(broken, name))]),
  ),
  'weights at ../secret': beside('../secret'),
  'weights at a/../../secret': beside('a/../../secret'),
  'weights at ./../secret': beside('./../secret'),
  'weights at /etc/passwd': beside('/etc/passwd'),
  'weights at /proc/self/environ': beside('/proc/self/environ'),
  'weights at /dev/zero': beside('/dev/zero'),
  'weights in a folder': beside('.'),
  'weights without a name': beside(''),
  'weights at a name with NUL': beside('secret\0'),
  'weights that are too few': beside('few.bin'),
  '8 GiB of zeros': huge(2 ** 31),
  '2^40 zeros': huge(2 ** 20, 2 ** 20),
  '2^62 zeros': huge(2 ** 31, 2 ** 31),
  'zeros of a negative size': huge(-5),
  'a product of sizes that overflows': huge(2 ** 32, 2 ** 32, 2 ** 10),
  'a loop of 9e15 turns': endless(9e15, [count]),
  'a loop that counts on': endless(9e15, [node('Mul', ['count', 'one'], ['count_out'])]),
  'a constant of negative size': model([x, constant('w', [1, 2], [-4]), add('w'), y]),
  'a constant that is shorter than its size': model([x, constant('w', [1], [1000]), add('w'), y]),
  'an operator that does not exist': model([x, node('Explode', ['x'], ['y']), y]),
  'a value that is not made': model([x, add('absent'), y]),
  'a cycle': model([x, node('Neg', ['b'], ['a']), node('Neg', ['a'], ['b']), add('a'), y]),
  'no graph': Buffer.from([8, 8]),
  'a graph of nothing': model([]),
  'half a model': iris.subarray(0, iris.length >> 1),
  'a model with one byte turned': Buffer.from(
    iris.map((byte, i) => (i === 20 ? byte ^ 0xff : byte)),
  ),
  'a length of 2^63': Buffer.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
  bytes: random(4096),
  'a megabyte of 0xff': Buffer.alloc(1024 * 1024, 0xff),
  'messages nested 5,000 deep': model([nested(5000)]),
  'a picture': Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
  'a script': Buffer.from('#!/bin/sh\nexit 0\n'),
};

const probe = (folder: string) =>
  probeInChild({
    ...{ device: 'cpu', engineCache: folder, batchSize: undefined, ortLibrary: undefined },
    ...{ validationMemoryBytes: MEMORY, validationTimeoutMs: TIMEOUT_MS },
  });

test('there are at least 30 of them', () => assert.ok(Object.keys(models).length >= 30));

for (const [what, bytes] of Object.entries(models)) {
  test(`a model with or of ${what} is rejected`, async () => {
    using files = temporaryFiles({ secret: 'x'.repeat(64), 'm/few.bin': '1234' });
    const folder = path.join(files.path, 'm');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'model.onnx'), bytes);
    const start = performance.now();
    const request = { model: 'm', version: 'v1', folder, config: null };
    await assert.rejects(probe(folder)(request), (error: Error & { code: string }) => {
      assert.equal(error.code, 'REJECTED', error.message);
      assert.doesNotMatch(error.message, /\/tmp|\/work|xxxx/);
      assert.equal(error.message.includes('not ready within'), what.startsWith('a loop'));
      return true;
    });
    assert.ok(performance.now() - start < TIMEOUT_MS + SLACK_MS);
  });
}

test('none of them is left running', () => {
  const mine = readdirSync('/proc').filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === process.pid;
    } catch {
      return false;
    }
  });
  assert.deepEqual(mine, []);
});
