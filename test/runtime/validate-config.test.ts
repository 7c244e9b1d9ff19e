/** @module The inputs and outputs in a configuration are compared with those of the model. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError } from '../../runtime/index.ts';
import {
  DEFAULT_SETTINGS,
  type DeclaredTensor,
  type ModelConfig,
} from '../../runtime/repository/index.ts';
import { validateConfig } from '../../runtime/validate-config.ts';

const spec = (name: string, type: 'float32' | 'string', dims: readonly number[]) => ({
  name,
  type,
  dims,
  symbols: dims.map(() => ''),
});

const signature = {
  inputs: [spec('x', 'float32', [-1, 3]), spec('t', 'string', [-1, -1])],
  outputs: [spec('y', 'float32', [-1, 3]), spec('z', 'float32', [-1])],
  batching: { enabled: true, maxRows: 8, reason: '' },
};
const fixed = {
  ...signature,
  inputs: [spec('x', 'float32', [1, 3])],
  outputs: [spec('y', 'float32', [1, 3])],
  batching: { enabled: false, maxRows: 1, reason: 'fixed' },
};

const tensor = (name: string, datatype?: string, dims: readonly number[] = []): DeclaredTensor => ({
  name,
  datatype,
  dims,
});
const x = tensor('x', 'TYPE_FP32', [3]);
const t = tensor('t', 'TYPE_STRING', [7]);

function check(
  described: { inputs?: readonly DeclaredTensor[]; outputs?: readonly DeclaredTensor[] },
  config: ModelConfig = { batching: { maxRows: 8 } },
  model: typeof signature = signature,
): string {
  try {
    validateConfig(config, { ...DEFAULT_SETTINGS, declared: {}, ...described }, model);
    return '';
  } catch (error) {
    assert.ok(error instanceof ServeError && error.code === 'INVALID_CONFIG');
    return error.message;
  }
}

describe('a configuration is accepted if it describes', () => {
  const fitting: Readonly<Record<string, readonly unknown[]>> = {
    nothing: [{}],
    'only names': [{ inputs: [tensor('x'), tensor('t')] }],
    'datatypes and dims, too': [{ inputs: [x, t], outputs: [tensor('y', 'TYPE_FP32', [3])] }],
    'a size that the model leaves open': [{ inputs: [x, tensor('t', undefined, [5])] }],
    'no size where the model leaves it open': [{ inputs: [x, tensor('t', undefined, [-1])] }],
    'whole shapes of a model that is not batched': [
      { inputs: [tensor('x', undefined, [-1, 3]), tensor('t', undefined, [2, 2])] },
      { batching: false },
    ],
    'shapes without rows if the engine has found that there are rows': [{ inputs: [x, t] }, {}],
    'the fixed shapes of a model that is not batched': [
      { inputs: [tensor('x', 'TYPE_FP32', [1, 3])] },
      { batching: false },
      fixed,
    ],
  };
  for (const [name, args] of Object.entries(fitting)) {
    test(name, () => assert.equal(check(...(args as Parameters<typeof check>)), ''));
  }
});

describe('a configuration is refused if it describes', () => {
  const refused: Readonly<Record<string, readonly [RegExp, ...unknown[]]>> = {
    'an input that does not exist': [
      /the model has no input w; its inputs are x, t/,
      { inputs: [x, t, tensor('w')] },
    ],
    'an output that does not exist': [
      /no output w; its outputs are y, z/,
      { outputs: [tensor('w')] },
    ],
    'not every input': [/the input t of the model is missing/, { inputs: [x] }],
    'another datatype': [
      /the input x is TYPE_INT32, but the model has it as TYPE_FP32/,
      { inputs: [tensor('x', 'TYPE_INT32', [3]), t] },
    ],
    'another type than string': [/as TYPE_STRING/, { inputs: [x, tensor('t', 'TYPE_FP32')] }],
    'another size': [
      /the dims of the input x are \[4\], but the model has \[3\] beside the dimension/,
      { inputs: [tensor('x', 'TYPE_FP32', [4]), t] },
    ],
    '-1 where the size is fixed': [/are \[-1\]/, { inputs: [tensor('x', undefined, [-1]), t] }],
    'rows among the dims of a batched model': [
      /are \[-1,3\], but the model has \[3\]/,
      { inputs: [tensor('x', undefined, [-1, 3]), t] },
    ],
    'no rows among the dims of a model that is not batched': [
      /are \[3\], but the model has \[-1,3\]\./,
      { inputs: [x, t] },
      { batching: false },
    ],
  };
  for (const [name, [message, ...args]] of Object.entries(refused)) {
    test(name, () => assert.match(check(...(args as Parameters<typeof check>)), message));
  }
});
