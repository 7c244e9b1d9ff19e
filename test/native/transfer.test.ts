/** @module Large inputs are handed over if the caller requests it, and no other memory is. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Model, RunOptions } from '../../native/index.ts';
import { free, transfer } from '../../native/transfer.ts';
import { loop, occupy, open, tensor, until, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

/** Inputs of this many bytes or more are borrowed: see `RunOptions.transfer`. */
const large = 64 * 1024;
const words = (bytes: number) => bytes / Float32Array.BYTES_PER_ELEMENT;

async function negates(model: Model, data: Float32Array, options: RunOptions): Promise<void> {
  const expected = data.map((value) => -value);
  const run = model.run({ x: tensor('float32', [1, data.length], data) }, options);
  const { y } = (await run).outputs;
  assert.deepEqual(y?.data, expected);
}

describe('transfer', () => {
  const cases: readonly (readonly [string, number, boolean, boolean])[] = [
    ['a large input is detached', large, true, true],
    ['a small input is copied', large - 4, true, false],
    ['without transfer a large input is copied', large, false, false],
  ];
  for (const [title, bytes, transfer, gone] of cases) {
    test(title, () =>
      withModel(engine, 'dynamic-axes', async (model) => {
        const data = new Float32Array(words(bytes)).fill(1.5);
        await negates(model, data, { transfer });
        assert.equal(data.buffer.byteLength === 0, gone);
      }),
    );
  }

  test('memory that is taken over is freed at once when the request has finished', () => {
    const specs = [{ name: 'x', type: 'float32', dims: [-1], symbols: [''] }] as const;
    const x = tensor('float32', [words(large)], new Float32Array(words(large)));
    const moved = transfer(specs, { x })!;
    const [owner] = moved.owners;
    assert.equal(owner!.byteLength, large);
    free(moved);
    assert.equal(owner!.byteLength, 'transfer' in ArrayBuffer.prototype ? 0 : large);
  });

  test('lent memory is read where it is, and detached when the request has finished', () =>
    withModel(engine, 'dynamic-axes', async (model) => {
      const data = new Float32Array(words(large)).fill(1.5);
      const run = model.run({ x: tensor('float32', [1, data.length], data) }, { transfer: 'lend' });
      assert.equal(data.byteLength, large);
      assert.ok(((await run).outputs.y!.data as Float32Array).every((value) => value === -1.5));
      assert.equal(data.byteLength, 'transfer' in ArrayBuffer.prototype ? 0 : large);
    }));

  test('lent memory that cannot be detached stays', () =>
    withModel(engine, 'dynamic-axes', async (model) => {
      const { buffer } = new WebAssembly.Memory({ initial: 2 });
      await negates(model, new Float32Array(buffer, 0, words(large)).fill(2), {
        transfer: 'lend',
      });
      assert.equal(buffer.byteLength, 2 * large);
    }));

  test('lent memory is detached after its request was aborted, too', () =>
    withModel(
      engine,
      'slow-loop',
      async (model) => {
        const { done } = await occupy(model);
        const iterations = tensor('int64', [large / 8, 1], new BigInt64Array(large / 8));
        const controller = new AbortController();
        const { signal } = controller;
        const run = assert.rejects(
          model.run({ iterations }, { transfer: 'lend', signal }),
          /AbortError/,
        );
        controller.abort();
        await run;
        await done;
        const left = 'transfer' in ArrayBuffer.prototype ? 0 : large;
        await until(() => iterations.data.byteLength === left);
      },
      // Larger requests than a batch run in parts, which are copied.
      { batching: { maxRows: large / 8 } },
    ));

  test('memory is detached when run returns', () =>
    withModel(engine, 'dynamic-axes', async (model) => {
      const data = new Float32Array(words(large));
      const run = model.run({ x: tensor('float32', [1, data.length], data) }, { transfer: true });
      assert.equal(data.length, 0);
      await run;
    }));

  test('a view of a part of a buffer detaches the whole buffer', () =>
    withModel(engine, 'dynamic-axes', async (model) => {
      const whole = Float32Array.from({ length: words(large) * 2 }, (_, index) => index);
      await negates(model, whole.subarray(100, 100 + words(large)), { transfer: true });
      assert.equal(whole.length, 0);
    }));

  for (const rows of [8192, 1024]) {
    test(`two inputs of ${rows} rows in one buffer are ${rows * 16 >= large ? 'taken over' : 'copied'}`, () =>
      withModel(engine, 'two-in-two-out', async (model) => {
        const memory = new ArrayBuffer(rows * 24);
        // With 8,192 rows both inputs reach the limit, and with 1,024 rows neither does.
        const b = new BigInt64Array(memory, 0, rows * 2).fill(3n);
        const a = new Float32Array(memory, rows * 16, rows * 2).fill(0.5);
        const inputs = {
          a: tensor('float32', [rows, 2], a),
          b: tensor('int64', [rows, 2], b),
        };
        const { outputs } = await model.run(inputs, { transfer: true });
        assert.ok((outputs.sum!.data as Float32Array).every((value) => value === 3.5));
        assert.ok((outputs.product!.data as BigInt64Array).every((value) => value === 9n));
        assert.equal(memory.byteLength === 0, rows * 16 >= large);
      }));
  }

  test('a small input in the buffer of a large one is taken over with it', () =>
    withModel(engine, 'two-in-two-out', async (model) => {
      const rows = 4096;
      const memory = new ArrayBuffer(rows * 24);
      const b = new BigInt64Array(memory, 0, rows * 2).fill(3n);
      const a = new Float32Array(memory, rows * 16, rows * 2).fill(0.5);
      assert.ok(b.byteLength >= large && a.byteLength < large);
      const inputs = { a: tensor('float32', [rows, 2], a), b: tensor('int64', [rows, 2], b) };
      const { outputs } = await model.run(inputs, { transfer: true });
      assert.ok((outputs.sum!.data as Float32Array).every((value) => value === 3.5));
      assert.equal(a.length, 0);
    }));

  test('shared memory cannot be detached and is copied', () =>
    withModel(engine, 'dynamic-axes', async (model) => {
      const data = new Float32Array(new SharedArrayBuffer(large)).fill(2);
      await negates(model, data, { transfer: true });
      assert.equal(data.byteLength, large);
    }));

  test('WebAssembly memory cannot be detached and is copied', () =>
    withModel(engine, 'dynamic-axes', async (model) => {
      const { buffer } = new WebAssembly.Memory({ initial: 2 });
      const data = new Float32Array(buffer, 0, words(large)).fill(2);
      await negates(model, data, { transfer: true });
      assert.equal(data.byteLength, large);
    }));

  test('a large Buffer of bytes is taken over', () =>
    withModel(engine, 'identity-uint8', async (model) => {
      const warnings: string[] = [];
      const note = (warning: Error) => warnings.push(warning.message);
      process.on('warning', note);
      const data = Buffer.from(new Uint8Array(3 * large).fill(7).buffer);
      const { y } = (await model.run({ x: tensor('uint8', [large, 3], data) }, { transfer: true }))
        .outputs;
      assert.ok((y!.data as Uint8Array).every((value) => value === 7));
      assert.equal(data.length, 0);
      await new Promise((resolve) => setImmediate(resolve));
      process.off('warning', note);
      assert.deepEqual(warnings, []);
    }));

  test('large bools are taken over and still become 0 or 1', () =>
    withModel(engine, 'identity-bool', async (model) => {
      const data = new Uint8Array(3 * large).fill(2);
      const { y } = (await model.run({ x: tensor('bool', [large, 3], data) }, { transfer: true }))
        .outputs;
      assert.ok((y!.data as Uint8Array).every((value) => value === 1));
    }));

  test('many queued requests keep their own memory', () =>
    withModel(engine, 'reduce-mean-image', async (model) => {
      const size = 3 * 224 * 224;
      const runs = Array.from({ length: 64 }, (_, index) => {
        const data = new Float32Array(size).fill(index);
        const x = tensor('float32', [1, 3, 224, 224], data);
        return model.run({ x }, { transfer: index % 2 === 0 });
      });
      // Memory that was released too early would be reused here.
      const noise = Array.from({ length: 32 }, () => new Float32Array(size).fill(-1));
      const results = await Promise.all(runs);
      assert.equal(noise.length, 32);
      for (const [index, { outputs }] of results.entries()) {
        assert.ok(Math.abs((outputs.y!.data as Float32Array)[0]! - index) < 1e-3, `row ${index}`);
      }
    }));

  test('aborted requests with taken memory do not affect later ones', () =>
    withModel(engine, 'slow-loop', async (model) => {
      const { done } = await occupy(model);
      const rows = large / 8;
      const controller = new AbortController();
      const gone = Array.from({ length: 20 }, () => {
        const iterations = tensor('int64', [rows, 1], new BigInt64Array(rows));
        const { signal } = controller;
        return assert.rejects(model.run({ iterations }, { transfer: true, signal }), /AbortError/);
      });
      controller.abort();
      await Promise.all(gone);
      await Promise.all([done, loop(model, 1)]);
    }));
});
