/** @module How long the thread of a request is occupied at a time by large responses of the NLP service. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { checkTurns } from '../../support/turns.ts';
import { type NlpService, openNlp } from './support.ts';

/** About 90,000 tokens in the vocabulary of the fixtures. */
const LONG =
  'The train to the coast leaves at seven in the morning, and Maria Lopez is on it. '.repeat(2600);
const MANY = Array.from({ length: 1000 }, (_, i) => `${i} ${LONG.slice(0, 240)}`);

let service: NlpService;
before(async () => {
  service = await openNlp({ sentiment: 'bert-sentiment', ner: 'bert-ner' });
});
after(() => service[Symbol.asyncDispose]());

for (const [path, title, body] of [
  ['/tokenize', 'a long text', { text: LONG }],
  ['/tokenize', '1,000 texts', { texts: MANY }],
  ['/analyze/ner', 'a long text', { text: LONG, aggregation: 'none' }],
] as const) {
  test(`${path} writes the response to ${title} in short turns`, async (t) => {
    await checkTurns(t, async () => {
      const response = await service.post(path, body);
      assert.equal(response.status, 200);
      await response.arrayBuffer();
    });
  });
}
