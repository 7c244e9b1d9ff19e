/** @module Windows as rows of runs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { layOut, RowOutputs } from '../../../../runtime/tasks/text/rows.ts';
import type { TextInputs, TextModel } from '../../../../runtime/text/text-model.ts';
import type { TokenWindow } from '../../../../runtime/text/tokenizer/index.ts';

const INPUTS: TextInputs = {
  type: 'int64',
  length: undefined,
  padId: 9,
  ids: 'input_ids',
  mask: 'attention_mask',
  types: 'token_type_ids',
  positions: 'position_ids',
};

const modelOf = (inputs: Partial<TextInputs> = {}, batched = true): TextModel =>
  ({ inputs: { ...INPUTS, ...inputs }, batched, output: 'logits' }) as TextModel;

/** A window whose ids are those of its number. */
const windowOf = (length: number, number: number): TokenWindow => ({
  ids: new Int32Array(length).fill(100 + number),
  typeIds: new Int32Array(length).fill(1),
  special: new Uint8Array(length),
  own: length,
  offsets: undefined,
});

const numbers = (data: unknown): number[] => Array.from(data as ArrayLike<number | bigint>, Number);

describe('rows', () => {
  test('are padded to the longest of their run', async () => {
    const { runs, groups } = await layOut(modelOf(), [windowOf(2, 0), windowOf(4, 1)]);
    assert.deepEqual(groups, [[1, 0]]);
    const [run] = runs;
    const layers = Object.entries(run!).map(([name, { type, dims, data }]) => {
      assert.equal(type, 'int64');
      assert.deepEqual(dims, [2, 4]);
      return [name, numbers(data)];
    });
    assert.deepEqual(Object.fromEntries(layers), {
      input_ids: [101, 101, 101, 101, 100, 100, 9, 9],
      attention_mask: [1, 1, 1, 1, 1, 1, 0, 0],
      token_type_ids: [1, 1, 1, 1, 1, 1, 0, 0],
      position_ids: [0, 1, 2, 3, 0, 1, 0, 0],
    });
  });

  test('have only the inputs of the model, in its type and length', async () => {
    const inputs = { type: 'int32', length: 5, types: undefined, positions: undefined } as const;
    const { runs } = await layOut(modelOf(inputs), [windowOf(2, 0)]);
    assert.deepEqual(runs, [
      {
        input_ids: { type: 'int32', dims: [1, 5], data: Int32Array.of(100, 100, 9, 9, 9) },
        attention_mask: { type: 'int32', dims: [1, 5], data: Int32Array.of(1, 1, 0, 0, 0) },
      },
    ]);
  });

  test('have a token that the model can read if there is none', async () => {
    const { runs } = await layOut(modelOf(), [windowOf(0, 0)]);
    assert.deepEqual(numbers(runs[0]!.input_ids!.data), [9]);
    assert.deepEqual(numbers(runs[0]!.attention_mask!.data), [1]);
  });

  test('share runs of similar length, each window once', async () => {
    const lengths = fc.array(fc.nat(600), { maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(lengths, fc.boolean(), async (sizes, batched) => {
        const windows = sizes.map(windowOf);
        const { runs, groups, places } = await layOut(modelOf({}, batched), windows);
        const placed = groups.flat().toSorted((a, b) => a - b);
        assert.deepEqual(placed, [...windows.keys()]);
        for (const [index, { run, row }] of places.entries()) {
          assert.equal(groups[run]![row], index);
          const { dims, data } = runs[run]!.input_ids!;
          const own = numbers(data).slice(row * dims[1]!, row * dims[1]! + sizes[index]!);
          assert.ok(own.every((id) => id === 100 + index));
        }
        for (const [run, group] of groups.entries()) {
          const longest = Math.max(...group.map((index) => sizes[index]!), 1);
          const shortest = Math.min(...group.map((index) => sizes[index]!));
          assert.deepEqual(runs[run]!.input_ids!.dims, [group.length, longest]);
          assert.ok(longest <= 16 || shortest * 2 >= longest);
          assert.ok(group.length <= 16 && (group.length === 1 || group.length * longest <= 1024));
          if (!batched) assert.equal(group.length, 1);
        }
      }),
    );
  });

  test('of 1,000 short texts need few places in the queue', async () => {
    const windows = Array.from({ length: 1000 }, (_, i) => windowOf(10, i));
    const { runs } = await layOut(modelOf(), windows);
    assert.equal(runs.length, 63);
  });
});

describe('outputs', () => {
  test('are those of the window, also as 16-bit floats', async () => {
    const model = modelOf();
    const rows = await layOut(model, [windowOf(2, 0), windowOf(2, 1), windowOf(40, 2)]);
    const results = rows.groups.map((group, run) => {
      // 0x3c00 is 1, and the next numbers differ from it by 1/1024 each.
      const data = Uint16Array.from(group.flatMap((index) => [0x3c00 + index, 0x3c00]));
      const halves = { type: 'float16', dims: [group.length, 2], data } as const;
      const floats = group.flatMap((index) => [1 + index / 1024, 1]);
      const single = {
        type: 'float32',
        dims: [group.length, 2],
        data: Float32Array.from(floats),
      } as const;
      return { outputs: { logits: run === 0 ? halves : single } };
    });
    const outputs = new RowOutputs(model, rows, results);
    for (const index of [0, 1, 2]) {
      assert.deepEqual(outputs.of(index), {
        data: Float32Array.of(1 + index / 1024, 1),
        dims: [2],
      });
    }
  });

  test('must have a row for each text', async () => {
    const model = modelOf();
    const rows = await layOut(model, [windowOf(2, 0), windowOf(2, 1)]);
    const logits = { type: 'float32', dims: [1, 3], data: new Float32Array(3) } as const;
    assert.throws(() => new RowOutputs(model, rows, [{ outputs: { logits } }]), {
      code: 'INVALID_ARGUMENT',
      message: /has the shape \[1,3\] for 2 texts/,
    });
  });
});
