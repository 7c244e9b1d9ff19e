/** @module Texts that are as long and as strange as a request may have: each is answered or refused, in bounded memory. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { textRepository } from '../services/nlp/support.ts';
import { ServiceChild } from '../support/child.ts';

const MIB = 2 ** 20;
/** Memory for four tokenizers, the texts of four requests at a time, their normalised forms, and their tokens. */
const RISE = 768 * MIB;
/** How much more a repetition may take, because garbage is not collected at the same moments. */
const MORE = 192 * MIB;

/** As many pieces as 1 MiB of UTF-8 has room for. */
const filled = (piece: string) => piece.repeat(Math.floor(MIB / Buffer.byteLength(piece)));

const TEXTS: Readonly<Record<string, string>> = {
  NUL: filled('\u0000'),
  'one letter': filled('a'),
  'one digit': filled('7'),
  'letters and digits': filled('1a'),
  spaces: filled(' '),
  'spaces before a letter': `${filled(' ').slice(1)}a`,
  'line breaks after spaces': filled(' \n'),
  'carriage returns': filled('\r\n'),
  apostrophes: filled("'"),
  contractions: filled("'s"),
  'exclamation marks': filled('!'),
  hashes: filled('##'),
  'names of special tokens': filled('[MASK]'),
  'other names of special tokens': filled('<s>'),
  'marks of SentencePiece': filled('▁'),
  ideographs: filled('日'),
  'syllables in parts': filled('각'),
  'letters with accents': filled('a\u0301'),
  'combining marks': `a${filled('\u0301').slice(1)}`,
  'zero-width spaces': filled('\u200b'),
  'zero-width joiners': filled('\u200d'),
  'marks of direction': filled('\u202e'),
  'soft hyphens': filled('\u00ad'),
  'emoji of several characters': filled('👩‍🚀'),
  'mathematical letters': filled('𝒜'),
  'a ligature of 18 letters': filled('ﷺ'),
  'letters that grow in lower case': filled('İ'),
  words: filled('a '),
};

/** A request for a text, to a model with another kind of tokenizer each. */
const REQUESTS: readonly ((text: string) => readonly [path: string, body: object])[] = [
  (text) => ['/analyze/sentiment', { text }],
  (text) => ['/analyze/ner', { text, aggregation: 'first' }],
  (text) => ['/rerank', { query: 'a', documents: [text] }],
  (text) => ['/tokenize', { text, model: 'gpt2' }],
];

// Two tests, because each has the limit of time of a test, and together they take most of it.
describe('texts of 1 MiB', () => {
  const repository = textRepository({
    ...{ sentiment: 'bert-sentiment', ner: 'deberta-ner' },
    ...{ reranker: 'xlmr-rerank', gpt2: 'gpt2' },
  });
  let child: ServiceChild;
  let url: string;
  /** The peak of the memory when all texts have been sent once. */
  let once: number;
  before(async () => {
    const env = { MODEL_PATH: repository.path, SERVICE: 'nlp', PORT: '0', LOG_LEVEL: 'info' };
    child = new ServiceChild('services/main.ts', env);
    url = `http://127.0.0.1:${await child.port()}`;
  });
  after(async () => {
    await child[Symbol.asyncDispose]();
    repository[Symbol.dispose]();
  });

  const post = async (path: string, body: object) => {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(url + path, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    const answer = await response.text();
    return [response.status, answer] as const;
  };
  const send = async (name: string, text: string) => {
    const answers = await Promise.all(REQUESTS.map((request) => post(...request(text))));
    for (const [status, answer] of answers) {
      assert.ok(status === 200 || status === 413, `${name}: ${status} ${answer.slice(0, 300)}`);
    }
    return answers.map(([status]) => status);
  };

  test('are answered or refused, in bounded memory', async (t) => {
    for (const request of REQUESTS) assert.equal((await post(...request('fine')))[0], 200);
    const start = child.peakMemory();
    for (const [name, text] of Object.entries(TEXTS)) {
      const statuses = await send(name, text);
      const rise = child.peakMemory() - start;
      t.diagnostic(`${name}: ${statuses}, ${Math.round(rise / MIB)} MiB`);
      assert.ok(rise < RISE, `${name}: ${Math.round(rise / MIB)} MiB`);
    }
    once = child.peakMemory();
  });

  test('take little more memory when they are sent again, and harm no later request', async (t) => {
    for (const [name, text] of Object.entries(TEXTS)) await send(name, text);
    const more = child.peakMemory() - once;
    t.diagnostic(`again: ${Math.round(more / MIB)} MiB more`);
    assert.ok(more < MORE, `${Math.round(more / MIB)} MiB more`);
    const empty = { texts: Array(1000).fill('') };
    assert.equal((await post('/analyze/sentiment', empty))[0], 200);
    for (const request of REQUESTS) assert.equal((await post(...request('fine')))[0], 200);
    assert.equal(child.errors, '');
  });
});
