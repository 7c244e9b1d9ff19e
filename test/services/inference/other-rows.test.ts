/** @module Tests a model that is declared as batched, but whose outputs have another number of rows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inference } from './support.ts';

const files = {
  'm/1/model.onnx': '=rows-change',
  'm/model.json': '{"batching":{"maxRows":8}}',
};

test('requests of the model get their outputs, and /ready has the reason why it is no longer batched', async () => {
  await using service = await inference(files);
  const stateOf = async () => (await service.get('/ready')).json.models[0].versions[0];
  // The warm-up run has already shown that the numbers of rows differ.
  assert.equal((await stateOf()).maxRows, 1);
  const x = { name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] };
  for (let round = 0; round < 2; round++) {
    const response = await service.post('/v2/models/m/infer', { inputs: [x] });
    assert.equal(response.status, 200, response.text);
    assert.deepEqual(response.json.outputs[0].shape, [2, 2]);
    assert.deepEqual(response.json.outputs[0].data, [1, 2, 1, 2]);
  }
  const { state, maxRows, reason } = await stateOf();
  assert.deepEqual([state, maxRows], ['ready', 1]);
  assert.match(reason, /^Requests run alone, since one came back with another number of rows/);
});
