/** @module A description of inputs and outputs held against the model's own. */
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

describe('fits', () => {
  const fitting: Readonly<Record<string, readonly unknown[]>> = {
    'nothing described': [{}],
    'names alone': [{ inputs: [tensor('x'), tensor('t')] }],
    'all of it': [{ inputs: [x, t], outputs: [tensor('y', 'TYPE_FP32', [3])] }],
    'a size where the model leaves it open': [{ inputs: [x, tensor('t', undefined, [5])] }],
    'open where the model is': [{ inputs: [x, tensor('t', undefined, [-1])] }],
    'whole shapes of a model that is not batched': [
      { inputs: [tensor('x', undefined, [-1, 3]), tensor('t', undefined, [2, 2])] },
      { batching: false },
    ],
    'shapes without rows where the engine has found them': [{ inputs: [x, t] }, {}],
    'a fixed model that is not batched': [
      { inputs: [tensor('x', 'TYPE_FP32', [1, 3])] },
      { batching: false },
      fixed,
    ],
  };
  for (const [name, given] of Object.entries(fitting)) {
    test(name, () => assert.equal(check(...(given as Parameters<typeof check>)), ''));
  }
});

describe('is refused', () => {
  const refused: Readonly<Record<string, readonly [RegExp, ...unknown[]]>> = {
    'an input that is not there': [
      /the model has no input w; its inputs are x, t/,
      { inputs: [x, t, tensor('w')] },
    ],
    'an output that is not there': [
      /no output w; its outputs are y, z/,
      { outputs: [tensor('w')] },
    ],
    'an input left out': [/the input t of the model is missing/, { inputs: [x] }],
    'another datatype': [
      /the input x is TYPE_INT32, but the model has it as TYPE_FP32/,
      { inputs: [tensor('x', 'TYPE_INT32', [3]), t] },
    ],
    'another datatype of a text': [/as TYPE_STRING/, { inputs: [x, tensor('t', 'TYPE_FP32')] }],
    'another size': [
      /the dims of the input x are \[4\], but the model has \[3\] beside the dimension/,
      { inputs: [tensor('x', 'TYPE_FP32', [4]), t] },
    ],
    'open where the model is not': [/are \[-1\]/, { inputs: [tensor('x', undefined, [-1]), t] }],
    'rows among the dims of a batched model': [
      /are \[-1,3\], but the model has \[3\]/,
      { inputs: [tensor('x', undefined, [-1, 3]), t] },
    ],
    'no rows among the dims of one that is not': [
      /are \[3\], but the model has \[-1,3\]\./,
      { inputs: [x, t] },
      { batching: false },
    ],
  };
  for (const [name, [message, ...given]] of Object.entries(refused)) {
    test(name, () => assert.match(check(...(given as Parameters<typeof check>)), message));
  }
});
