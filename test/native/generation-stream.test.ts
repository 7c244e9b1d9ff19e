/** @module A generation as its caller sees it, without a model; and the scripted generator that tests of services use. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { GenerationStream } from '../../native/generation-stream.ts';
import type { GenerationResult } from '../../native/index.ts';
import { MillraceError } from '../../native/index.ts';
import { PuppetEngine } from '../support/puppet-engine.ts';
import { PuppetGenerator, puppetEcho } from '../support/puppet-generator.ts';
import { collect } from './generators.ts';
import { engineOptions, refused, thrown } from './support.ts';

const result = (...tokens: number[]): GenerationResult => ({
  tokens: Int32Array.from(tokens),
  finishReason: 'stop',
  score: undefined,
  timings: { queueMs: 0, computeMs: 0, prefillMs: 0, decodeMs: 0, batchRows: 1, batchRequests: 1 },
  steps: tokens.length,
});

/** A stream, and how often its caller has cancelled it. */
function open() {
  const seen = { cancelled: 0 };
  const stream = new GenerationStream(() => {
    seen.cancelled += 1;
  });
  return { stream, seen };
}

describe('a generation that is iterated', () => {
  test('yields what has arrived in one part, and then what arrives', async () => {
    const { stream, seen } = open();
    stream.push([1, 2]);
    stream.push([3]);
    const iterator = stream[Symbol.asyncIterator]();
    assert.deepEqual(await iterator.next(), { done: false, value: Int32Array.of(1, 2, 3) });
    const waiting = iterator.next();
    stream.push(Array.from({ length: 40 }, (_, index) => index));
    assert.equal((await waiting).value?.length, 40);
    stream.succeed(result(1, 2, 3, ...Array.from({ length: 40 }, (_, index) => index), 99));
    assert.deepEqual(await iterator.next(), { done: false, value: Int32Array.of(99) });
    assert.equal((await iterator.next()).done, true);
    assert.equal((await iterator.next()).done, true);
    await iterator.return!();
    assert.equal(seen.cancelled, 0);
  });

  test('does not share memory with what it yields', async () => {
    const { stream } = open();
    stream.push([1, 2]);
    const { value } = await stream[Symbol.asyncIterator]().next();
    value!.fill(7);
    stream.succeed(result(1, 2));
    assert.deepEqual(await collect(stream), { tokens: [1, 2], parts: 1 });
  });

  test('yields its tokens and then throws, if it fails', async () => {
    const { stream } = open();
    stream.push([1]);
    stream.fail(new Error('on purpose'));
    stream.push([2]);
    stream.succeed(result(1, 2));
    const iterator = stream[Symbol.asyncIterator]();
    assert.deepEqual((await iterator.next()).value, Int32Array.of(1));
    await assert.rejects(iterator.next(), /on purpose/);
    assert.equal((await iterator.next()).done, true);
    await assert.rejects(stream.result, /on purpose/);
  });

  test('may be iterated twice at a time, of which the first to leave cancels', async () => {
    const { stream, seen } = open();
    const [one, two] = [stream[Symbol.asyncIterator](), stream[Symbol.asyncIterator]()];
    const both = [one.next(), two.next()];
    stream.push([5]);
    for (const { value } of await Promise.all(both)) assert.deepEqual(value, Int32Array.of(5));
    await one.return!();
    assert.equal(seen.cancelled, 1);
    await refused(two.next(), 'CANCELLED');
    stream.cancel();
    assert.equal(seen.cancelled, 1);
  });
});

describe('the scripted generator', () => {
  const load = (tokens = puppetEcho.tokens) => new PuppetGenerator({ tokens }, { decoder: '' });

  test('says its input backwards, token by token', async () => {
    const generation = load().generate([1, 2, 3]);
    assert.deepEqual(await collect(generation), { tokens: [3, 2, 1], parts: 3 });
    assert.equal((await generation.result).finishReason, 'stop');
  });

  test('ends at a token of eosTokenIds, and at its full length', async () => {
    const model = load();
    const stopped = await model.generate([1, 2, 3], { eosTokenIds: [1] }).result;
    assert.deepEqual([[...stopped.tokens], stopped.finishReason], [[3, 2], 'stop']);
    const full = await model.generate([1, 2, 3], { maxNewTokens: 2 }).result;
    assert.deepEqual([[...full.tokens], full.finishReason], [[3, 2], 'length']);
  });

  test('counts how its generations end', async () => {
    const model = load((ids) => {
      if (ids.length === 0) throw new MillraceError('INTERNAL', 'The run failed');
      return ids;
    });
    await model.generate([1]).result;
    await refused(model.generate([]).result, 'INTERNAL');
    model.hold();
    const held = [
      model.generate([1]),
      model.generate([1], { timeoutMs: 1 }),
      model.generate([1], { signal: AbortSignal.abort(new Error('gone')) }),
    ] as const;
    await refused(held[1].result, 'DEADLINE_EXCEEDED');
    await assert.rejects(held[2].result, /gone/);
    held[0].cancel();
    await refused(held[0].result, 'CANCELLED');
    const { cancelled, completed, expired, failed, running, submitted } = model.stats();
    assert.deepEqual(
      [submitted, completed, failed, cancelled, expired, running],
      [5, 1, 1, 2, 1, 0],
    );
    const last = model.generate([4, 5]);
    model.release();
    assert.deepEqual([...(await last.result).tokens], [4, 5]);
    await model.close();
    await refused(model.generate([1]).result, 'FAILED_PRECONDITION');
    thrown(() => model.stats(), 'FAILED_PRECONDITION');
  });

  test('is what the puppet engine loads, by name', async () => {
    const engine = new PuppetEngine(undefined, undefined, (name) => ({
      tokens: () => [name.length],
      signature: { encoderDecoder: true },
    }));
    const model = await engine.loadGenerator({ decoder: 'decoder.onnx', name: 'summary:v1' });
    assert.ok(model.signature.encoderDecoder);
    assert.deepEqual([...(await model.generate([1]).result).tokens], [10]);
    assert.equal(engine.generators.get('summary:v1')?.generations.length, 1);
    await engine.close();
    assert.ok(model.closed);
  });
});

test('the example in the guide runs', async () => {
  const root = path.resolve(import.meta.dirname, '../..');
  const guide = readFileSync(path.join(root, 'native/README.md'), 'utf8');
  const [, section = ''] = guide.split('\n## Text generation\n');
  const [, code = ''] = /```ts\n(.*?)```/s.exec(section) ?? [];
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-example-'));
  const printed: unknown[][] = [];
  const { log } = console;
  try {
    const file = path.join(folder, 'example.mts');
    const own = code
      .replace("'./native/index.ts'", JSON.stringify(pathToFileURL(`${root}/native/index.ts`).href))
      .replace('openEngine()', `openEngine(${JSON.stringify(engineOptions())})`)
      .replace("'test/fixtures", `'${root}/test/fixtures`);
    writeFileSync(file, `export {};\n${own}`);
    console.log = (...values) => printed.push(values);
    await import(pathToFileURL(file).href);
  } finally {
    console.log = log;
    rmSync(folder, { recursive: true });
  }
  const [length, finishReason] = printed.pop() ?? [];
  assert.equal(printed.flat().length, length);
  assert.ok(finishReason === 'stop' || length === 24);
});
