/** @module `engine.inspect`: what the file of a model says, without loading it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { TensorSpec } from '../../native/index.ts';
import { temporaryFiles } from '../support/files.ts';
import { FLOAT, input, model, node, output } from '../support/onnx.ts';
import { fixture, open, withModel } from './support.ts';

const engine = open();
after(() => engine.close());

const plain = ({ name, type, dims, symbols }: TensorSpec) => ({ name, type, dims, symbols });

describe('inspect', () => {
  for (const name of [
    'two-in-two-out',
    'dynamic-axes',
    'identity-string',
    'scalar',
    'unnamed-dims',
    'external-data/model',
  ]) {
    test(`says of ${name} what its session says`, async () => {
      const file = await engine.inspect(fixture(name));
      await withModel(engine, name, ({ digest, signature }) => {
        assert.equal(file.digest, digest);
        assert.deepEqual(file.inputs, signature.inputs.map(plain));
        assert.deepEqual(file.outputs, signature.outputs.map(plain));
      });
    });
  }

  test('leaves sizes open that only a session computes', async () => {
    const [hidden] = (await engine.inspect(fixture('masked-mean'))).outputs;
    assert.deepEqual(hidden!.dims, [-1, -1, -1]);
    assert.deepEqual(hidden!.symbols.slice(0, 2), ['batch', 'sequence_length']);
    await withModel(engine, 'masked-mean', ({ signature }) =>
      assert.deepEqual(signature.outputs[0]!.dims, [-1, -1, 4]),
    );
  });

  test('an output that is no tensor has no type', async () => {
    const { outputs } = await engine.inspect(fixture('zip-map-strings'));
    assert.deepEqual(
      outputs.map(({ type }) => type),
      ['string', ''],
    );
  });

  test('has what exporters have written about the model', async () => {
    const identity = [
      node('Identity', ['x'], ['y']),
      input('x', FLOAT, [1]),
      output('y', FLOAT, [1]),
    ];
    const names = { names: "{0: 'cat', 1: 'dog'}", imgsz: '[640, 640]' };
    using folder = temporaryFiles({});
    const file = path.join(folder.path, 'named.onnx');
    writeFileSync(file, model(identity, names));
    assert.deepEqual((await engine.inspect(file)).metadata, names);
    assert.deepEqual((await engine.inspect(fixture('scalar'))).metadata, {});
  });

  test('a file that is no model has neither inputs nor outputs', async () => {
    const { inputs, outputs } = await engine.inspect(path.join(import.meta.dirname, 'support.ts'));
    assert.deepEqual([inputs, outputs], [[], []]);
  });

  test('a file that does not exist is refused, and everything after close', async () => {
    await assert.rejects(engine.inspect(fixture('nothing')), { code: 'NOT_FOUND' });
    const other = open();
    await other.close();
    await assert.rejects(other.inspect(fixture('scalar')), { code: 'FAILED_PRECONDITION' });
  });
});
