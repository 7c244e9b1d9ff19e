/** @module Tests the generate extension, on a model of strings and on others. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inference } from './support.ts';

// An identity model of three strings.
const texts = { 't/1/model.onnx': '=identity-string' };

describe('the generate extension', () => {
  test('reads inputs from members of the request and writes outputs to members of the response', async () => {
    await using server = await inference(texts);
    const { status, json } = await server.post('/v2/models/t/generate', {
      id: 'a',
      x: ['a', 'ä', ''],
    });
    assert.equal(status, 200, JSON.stringify(json));
    assert.deepEqual(json, { id: 'a', model_name: 't', model_version: '1', y: ['a', 'ä', ''] });
  });

  test('reads inputs from parameters too, and ignores other parameters', async () => {
    await using server = await inference(texts);
    const parameters = { temperature: 0.5, priority: 1, timeout: 60_000_000 };
    const body = { parameters: { x: ['a', 'b', 'c'], ...parameters } };
    const { json } = await server.post('/v2/models/t/versions/1/generate', body);
    assert.deepEqual(json.y, ['a', 'b', 'c']);
  });

  test('streams one event', async () => {
    await using server = await inference(texts);
    const response = await server.post('/v2/models/t/generate_stream', { x: ['a', 'b', 'c'] });
    assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
    assert.match(response.text, /^data: \{.*\}\n\n$/);
    assert.deepEqual(JSON.parse(response.text.slice(6)).y, ['a', 'b', 'c']);
  });

  test('accepts and returns numbers and booleans', async () => {
    await using server = await inference({
      'i/1/model.onnx': '=identity-int64',
      'b/1/model.onnx': '=identity-bool',
    });
    assert.deepEqual(
      (await server.post('/v2/models/i/generate', { x: [1, -2, 3] })).json.y,
      [1, -2, 3],
    );
    const bools = { x: [true, false, true] };
    assert.deepEqual((await server.post('/v2/models/b/generate', bools)).json.y, bools.x);
  });

  test('refuses invalid requests with 400, also for streams', async () => {
    await using server = await inference(texts);
    for (const [body, message] of [
      ['[]', /JSON object/],
      [{}, /x is missing/],
      [{ x: [1, 2, 3] }, /x must be a string/],
      [{ x: ['a'] }, /x has 1 values/],
      [{ x: ['a', 'b', 'c'], y: 1 }, /no input 'y'/],
      [{ x: ['a', 'b', 'c'], id: 7 }, /id must be a string/],
      [{ x: ['a', 'b', 'c'], parameters: { a: [] } }, /parameter 'a' must be a string, a number/],
      [{ x: ['a', 'b', 'c'], parameters: { a: null } }, /parameter 'a' must be/],
      [{ x: ['a', 'b', 'c'], parameters: { priority: 999 } }, /priority is 999/],
      [{ x: ['a', 'b', 'c'], parameters: { timeout: -1 } }, /timeout must be a whole number/],
      [{ x: ['a', 'b', 'c'], parameters: { sequence_id: 1 } }, /sequence_id is not supported/],
    ] as const) {
      for (const route of ['generate', 'generate_stream']) {
        const { status, json } = await server.post(`/v2/models/t/${route}`, body);
        assert.equal(status, 400, JSON.stringify(json));
        assert.match(json.error, message);
      }
    }
    assert.equal((await server.post('/v2/models/no/generate', { x: [] })).status, 404);
  });
});
