import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ElementType, Tensor } from '../../../native/tensor-types.ts';
import type { Signature } from '../../../native/types.ts';
import { createTask, type Outputs, type TaskConfig } from '../../../runtime/tasks/index.ts';

type OutputSpec = [name: string, dims: number[], type?: ElementType];

/** The task of a model with these outputs, and one input that no test here looks at. */
function whole(config: TaskConfig, ...outputs: OutputSpec[]) {
  const specs = outputs.map(([name, dims, type = 'float32']) => ({
    name,
    dims,
    type,
    symbols: [],
  }));
  const batching = { enabled: true, maxRows: 8, reason: '' };
  const x = { name: 'x', dims: [-1, 1], type: 'float32', symbols: [] } as const;
  const signature: Signature = { inputs: [x], outputs: specs, batching };
  const made = createTask({ name: 'm', signature }, config);
  return {
    name: made.name,
    notes: made.notes,
    wanted: made.outputs,
    decode: (outputs: Outputs, rows: number) =>
      made.decode([{ outputs }], { rows, nonFinite: 'string' }),
  };
}

/** The same for a task that reads a single output. */
function task(config: TaskConfig, ...outputs: OutputSpec[]) {
  const { wanted, decode } = whole(config, ...outputs);
  const [name] = wanted;
  return { wanted, read: (tensor: Tensor) => decode({ [name!]: tensor }, tensor.dims[0]!) };
}

const float32 = (dims: number[], ...values: number[]): Tensor => ({
  type: 'float32',
  dims,
  data: Float32Array.from(values),
});

describe('classification', () => {
  test('returns the label of the highest score with its probability to six decimals', () => {
    const { read } = task({ task: 'classification', labels: ['a', 'b'] }, ['p', [-1, 2]]);
    assert.deepEqual(read(float32([2, 2], 0.25, 0.75, 1 / 3, 0.1)), [
      { prediction: 'b', confidence: 0.75 },
      { prediction: 'a', confidence: 0.333333 },
    ]);
  });

  test('turns logits into a probability without overflow', () => {
    const { read } = task({ task: 'classification', activation: 'softmax' }, ['z', [-1, 3]]);
    assert.deepEqual(read(float32([1, 3], 1000, 1000, 0)), [{ prediction: 0, confidence: 0.5 }]);
  });

  test('reads the output that model.json names', () => {
    const config = { task: 'classification', output: 'p' } as const;
    assert.deepEqual(task(config, ['label', [-1], 'int64'], ['p', [-1, 2]]).wanted, ['p']);
  });

  test('refuses labels and outputs that do not fit', () => {
    const name = 'classification';
    assert.throws(
      () => task({ task: name, labels: ['a'] }, ['p', [-1, 2]]),
      /"labels" names 1 classes, output 'p' scores 2/,
    );
    assert.throws(() => task({ task: name }, ['label', [-1], 'int64']), /needs float scores/);
    assert.throws(
      () => task({ task: name }, ['a', [-1, 2]], ['b', [-1, 2]]),
      /several outputs.*'a', 'b'/,
    );
    assert.throws(
      () => task({ task: name, output: 'c' }, ['a', [-1, 2]]),
      /no output 'c'; write one of 'a'/,
    );
  });
});

describe('regression', () => {
  test('returns the number without a confidence', () => {
    const { read } = task({ task: 'regression' }, ['y', [-1, 1]]);
    assert.deepEqual(read(float32([2, 1], 1.5, -2)), [{ prediction: 1.5 }, { prediction: -2 }]);
  });

  test('refuses an output of several numbers', () => {
    assert.throws(
      () => task({ task: 'regression' }, ['y', [-1, 3]]),
      /one number a row, output 'y' has 3/,
    );
  });
});

describe('a model without a task', () => {
  test('returns a value, or a list of values', () => {
    assert.deepEqual(task({}, ['y', [-1]]).read(float32([2], 1, 2)), [
      { prediction: 1 },
      { prediction: 2 },
    ]);
    assert.deepEqual(task({}, ['y', [-1, 2]]).read(float32([1, 2], 1, 2)), [
      { prediction: [1, 2] },
    ]);
  });

  test('returns values of every type in JSON', () => {
    const values = (tensor: Tensor) =>
      task({}, ['y', [-1]])
        .read(tensor)
        .map(({ prediction }) => prediction);
    assert.deepEqual(values({ type: 'bool', dims: [2], data: Uint8Array.of(0, 1) }), [false, true]);
    assert.deepEqual(values({ type: 'string', dims: [1], data: ['x'] }), ['x']);
    const integers = values({ type: 'int64', dims: [2], data: BigInt64Array.of(7n, 2n ** 60n) });
    assert.equal(JSON.stringify(integers), '[7,1152921504606846976]');
    const floats = values({
      type: 'float32',
      dims: [3],
      data: Float32Array.of(1.5, NaN, -Infinity),
    });
    assert.deepEqual(floats, [1.5, 'NaN', '-Infinity']);
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00);
    assert.deepEqual(values({ type: 'float16', dims: [4], data: halves }), [
      1,
      -2,
      2 ** -24,
      'Infinity',
    ]);
    const brains = Uint16Array.of(0x3f80, 0xc000);
    assert.deepEqual(values({ type: 'bfloat16', dims: [2], data: brains }), [1, -2]);
  });
});

test('an input that the graph does not have is refused, and "image" needs a task of images', () => {
  assert.throws(() => task({ input: 'a' }, ['y', [-1]]), /it has no input 'a', only 'x'\.$/);
  assert.throws(
    () => task({ input: 'image' }, ['y', [-1]]),
    /no input 'image', only 'x'; "input": "image" needs a "task" of images\.$/,
  );
});

describe('labels and activation without a task', () => {
  const labels = ['cat', 'dog'];

  test('make a classifier of the only output with a score for each label', () => {
    for (const outputs of [
      [['p', [-1, 2]]],
      [
        ['embedding', [-1, 8]],
        ['p', [-1, 2]],
        ['counts', [-1, 2], 'int64'],
      ],
    ] satisfies OutputSpec[][]) {
      const { name, notes, wanted, decode } = whole({ labels, activation: 'softmax' }, ...outputs);
      assert.deepEqual([name, notes, wanted], ['classification', [], ['p']]);
      const read = decode({ p: float32([2, 2], 1000, 0, 0, 1000) }, 2);
      assert.deepEqual(read, [
        { prediction: 'cat', confidence: 1 },
        { prediction: 'dog', confidence: 1 },
      ]);
    }
    const chosen = whole({ labels, output: 'b' }, ['a', [-1, 2]], ['b', [-1, 2]]);
    assert.deepEqual([chosen.name, chosen.wanted], ['classification', ['b']]);
  });

  test('have no effect on any other output, which is noted', () => {
    const none = /^"labels" in model\.json has no effect on predictions: write "task"/;
    for (const [config, ...outputs] of [
      [{ labels }, ['y', [-1, 3]]],
      [{ labels }, ['y', [-1, -1]]],
      [{ labels }, ['y', [-1, 2], 'int64']],
      [{ labels }, ['a', [-1, 2]], ['b', [-1, 2]]],
      [{ labels, output: 'a' }, ['a', [-1, 1]], ['b', [-1, 2]]],
      [{ labels: ['price'] }, ['y', [-1, 1]]],
    ] satisfies [TaskConfig, ...OutputSpec[]][]) {
      const { name, notes } = whole(config, ...outputs);
      assert.deepEqual([name, notes.length], ['raw', 1]);
      assert.match(notes[0]!, none);
    }
    const both = whole({ labels, activation: 'softmax' }, ['y', [-1, 3]]);
    assert.match(both.notes[1]!, /^"activation" in model\.json has no effect/);
    const regression = whole({ task: 'regression', labels }, ['y', [-1, 1]]);
    assert.deepEqual(regression.notes, [
      '"labels" in model.json has no effect on predictions: the task is "regression"',
    ]);
    assert.deepEqual(whole({ activation: 'none' }, ['y', [-1, 3]]).notes, []);
  });

  test('take effect on a classifier with a label and probabilities if there is one for each', () => {
    const outputs: OutputSpec[] = [
      ['label', [-1], 'int64'],
      ['p', [-1, 2]],
    ];
    const named = whole({ labels }, ...outputs);
    assert.deepEqual([named.name, named.wanted, named.notes], ['classification', ['p'], []]);
    const other = whole({ labels: ['a', 'b', 'c'] }, ...outputs);
    assert.deepEqual([other.wanted, other.notes.length], [['label', 'p'], 1]);
  });
});

describe('a classifier with a label and probabilities', () => {
  const outputs: [string, number[], ElementType][] = [
    ['label', [-1], 'int64'],
    ['probabilities', [-1, 3], 'float32'],
  ];
  const probabilities = float32([2, 3], 0.2, 0.7, 0.1, 0.6, 0.1, 0.3);
  const numbers: Tensor = { type: 'int64', dims: [2], data: BigInt64Array.of(1n, 2n ** 60n) };

  test('returns both without a model.json, and if model.json names the task', () => {
    for (const config of [{}, { task: 'classification' }] as const) {
      const { name, wanted, decode } = whole(config, ...outputs);
      assert.equal(name, 'classification');
      assert.deepEqual(wanted, ['label', 'probabilities']);
      const read = decode({ label: numbers, probabilities }, 2);
      assert.equal(
        JSON.stringify(read),
        '[{"prediction":1,"confidence":0.7},{"prediction":1152921504606846976,"confidence":0.6}]',
      );
    }
  });

  test('may have strings as labels, and its outputs in any order', () => {
    const { decode } = whole({}, outputs[1]!, ['label', [-1], 'string']);
    const label: Tensor = { type: 'string', dims: [2], data: ['dog', 'cat'] };
    assert.deepEqual(decode({ label, probabilities }, 2), [
      { prediction: 'dog', confidence: 0.7 },
      { prediction: 'cat', confidence: 0.6 },
    ]);
  });

  test('uses the classes or the output that model.json names', () => {
    const named = whole({ task: 'classification', labels: ['a', 'b', 'c'] }, ...outputs);
    assert.deepEqual(named.wanted, ['probabilities']);
    assert.deepEqual(named.decode({ probabilities }, 2)[0], { prediction: 'b', confidence: 0.7 });
    const label = whole({ output: 'label' }, ...outputs);
    assert.equal(label.name, 'raw');
    assert.deepEqual(label.decode({ label: numbers }, 2)[0], { prediction: 1 });
    const scores = whole({ task: 'classification', output: 'probabilities' }, ...outputs);
    assert.deepEqual(scores.decode({ probabilities }, 2)[0], { prediction: 1, confidence: 0.7 });
  });

  test('NaN is not the highest score, as in the classification extension', () => {
    const { decode } = whole({ task: 'classification' }, ['y', [-1, 3]]);
    const read = decode({ y: float32([2, 3], NaN, 0.1, 0.3, NaN, NaN, NaN) }, 2);
    assert.deepEqual(read, [
      { prediction: 2, confidence: 0.3 },
      { prediction: 0, confidence: 'NaN' },
    ]);
  });

  test('returns one label for each row also if one is declared in all, as by LightGBM', () => {
    const { decode } = whole({}, ['label', [1], 'int64'], ['probabilities', [-1, 3]]);
    assert.equal(decode({ label: numbers, probabilities }, 2).length, 2);
  });

  test('is not recognised by other outputs', () => {
    const third: [string, number[]] = ['third', [-1, 2]];
    assert.equal(whole({}, ...outputs, third).name, 'raw');
    assert.equal(whole({}, ['a', [-1, 2]], ['b', [-1, 2]]).name, 'raw');
    assert.equal(whole({}, ['a', [-1, 2], 'int64'], ['b', [-1, 2]]).name, 'raw');
  });

  test('returns probabilities that are NaN in the form that the request chooses', () => {
    const { decode } = whole({}, ...outputs);
    const nothing = float32([2, 3], NaN, NaN, NaN, 0.1, NaN, 0.3);
    const read = decode({ label: numbers, probabilities: nothing }, 2);
    assert.deepEqual(
      read.map(({ confidence }) => confidence),
      ['NaN', 0.3],
    );
  });
});

describe('rows', () => {
  test('an output with another number of rows than the request is refused with the route that returns tensors', () => {
    const { decode } = whole({}, ['y', [-1, 6]]);
    for (const found of [0, 2, 3]) {
      assert.throws(() => decode({ y: float32([found, 6], ...Array(found * 6).fill(0)) }, 1), {
        code: 'INVALID_ARGUMENT',
        message: /\/v2\/models\/m\/infer/,
      });
    }
  });

  test('a model whose output has another name for dimension 0 than its input is refused when it is loaded', () => {
    const unbatched = { enabled: false, maxRows: 1, reason: '' };
    const create = (input: readonly [number, string], output: string, batching = unbatched) => {
      const x = {
        name: 'x',
        dims: [input[0], 1],
        type: 'float32',
        symbols: [input[1], ''],
      } as const;
      const y = { name: 'y', dims: [-1, 6], type: 'float32', symbols: [output, ''] } as const;
      return () =>
        createTask({ name: 'm', signature: { inputs: [x], outputs: [y], batching } }, {});
    };
    const refused = { code: 'INVALID_CONFIG', message: /\/v2\/models\/m\/infer/ };
    assert.throws(create([-1, 'batch'], 'found'), refused);
    assert.throws(create([1, ''], 'found'), refused);
    // Names that exporters generate have no meaning, and a missing name has none either.
    for (const made of ['', 'unk__12', 'Gemmy_dim_0', 's0', '?', 'batch']) {
      assert.doesNotThrow(create([-1, 'batch'], made), made);
    }
    assert.doesNotThrow(create([-1, ''], 'found'));
    assert.doesNotThrow(create([-1, 'batch'], 'found', { enabled: true, maxRows: 8, reason: '' }));
  });
});
