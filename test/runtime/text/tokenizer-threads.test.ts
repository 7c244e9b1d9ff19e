/** @module The threads of tokenizers: when they start and end, who shares them, and what becomes of mistakes. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { startThread } from '../../../runtime/host/index.ts';
import { openTokenizers } from '../../../runtime/text/tokenizer/index.ts';
import { RemoteTokenizer } from '../../../runtime/text/tokenizer/remote-tokenizer.ts';
import { TokenizerThreads } from '../../../runtime/text/tokenizer/tokenizer-threads.ts';
import type {
  LoadedFacts,
  TokenizerReply,
  TokenizerRequest,
} from '../../../runtime/text/tokenizer/wire.ts';
import { temporaryFiles } from '../../support/files.ts';
import type { JoinedData, JoinedReport } from './joined-tokenizers.fixture.ts';

const PATH = 'test/fixtures/text/bert-sentiment/tokenizer.json';
const TEXTS = ['The train leaves.', '', 'Hello 👍 there'];
const file = JSON.parse(readFileSync(PATH, 'utf8'));

describe('a tokenizer', () => {
  test('tells what is to be known about it', async () => {
    const tokenizers = openTokenizers();
    const tokenizer = await tokenizers.load({ path: PATH });
    const { size, added, truncationSide, continuingPrefix, unknownId } = tokenizer.facts;
    assert.equal(size, Object.keys(file.model.vocab).length);
    assert.deepEqual(added, { single: 2, pair: 3 });
    assert.equal(truncationSide, 'right');
    assert.equal(continuingPrefix, '##');
    assert.equal(unknownId, file.model.vocab['[UNK]']);
    await tokenizer.close();
    await tokenizers.close();
  });

  test('takes over what other files say', async () => {
    const padding = { strategy: 'BatchLongest', direction: 'Left', pad_id: 3, pad_type_id: 0 };
    const truncation = { direction: 'Left', max_length: 4, strategy: 'LongestFirst', stride: 0 };
    using folder = temporaryFiles({
      'tokenizer.json': JSON.stringify({
        ...file,
        truncation,
        padding: { ...padding, pad_token: '[PAD]', pad_to_multiple_of: null },
      }),
    });
    const path = join(folder.path, 'tokenizer.json');
    const tokenizers = openTokenizers();
    const tokenizer = await tokenizers.load({ path });
    assert.equal(tokenizer.facts.truncationSide, 'left');
    assert.deepEqual(tokenizer.facts.padding, { side: 'left', id: 3 });
    // Neither is applied by itself.
    const [encoded] = await tokenizer.encode(['The train to the coast leaves at seven.']);
    assert.ok(encoded!.windows[0]!.ids.length > 4);
    const other = await tokenizers.load({ path, truncationSide: 'right', unknownToken: '[MASK]' });
    assert.equal(other.facts.truncationSide, 'right');
    assert.equal(other.facts.unknownId, file.model.vocab['[MASK]']);
    await Promise.all([tokenizer.close(), other.close()]);
    await tokenizers.close();
  });

  test('finishes what was begun when it is closed, and takes no more', async () => {
    const tokenizers = openTokenizers();
    const tokenizer = await tokenizers.load({ path: PATH });
    const begun = tokenizer.encode(TEXTS);
    const closed = tokenizer.close();
    assert.equal((await begun).length, 3);
    await closed;
    await tokenizer.close();
    await assert.rejects(tokenizer.encode(TEXTS), { code: 'MODEL_NOT_READY' });
    await tokenizers.close();
  });

  test('drops a request that is aborted', async () => {
    const tokenizers = openTokenizers();
    const tokenizer = await tokenizers.load({ path: PATH });
    const controller = new AbortController();
    const long = Array.from({ length: 500 }, (_, i) => `${i} word`.repeat(200));
    const aborted = tokenizer.encode(long, {}, controller.signal);
    const other = tokenizer.encode(TEXTS);
    controller.abort(new Error('gone'));
    await assert.rejects(aborted, /gone/);
    assert.equal((await other).length, 3);
    await assert.rejects(tokenizer.encode(TEXTS, {}, controller.signal), /gone/);
    await tokenizer.close();
    await tokenizers.close();
  });
});

describe('threads', () => {
  test('are shared by files of equal content, until nobody uses them', async () => {
    using folder = temporaryFiles({});
    const copy = join(folder.path, 'copy.json');
    copyFileSync(PATH, copy);
    const threads = new TokenizerThreads();
    const one = await threads.connect(PATH);
    const same = await threads.connect(copy);
    assert.equal(same.facts, one.facts);
    one.port.close();
    one.release();
    one.release();
    const third = await threads.connect(copy);
    assert.equal(third.facts, one.facts);
    for (const { port, release } of [same, third]) {
      port.close();
      release();
    }
    const fresh = await threads.connect(PATH);
    assert.notEqual(fresh.facts, one.facts);
    assert.deepEqual(fresh.facts, one.facts);
    fresh.port.close();
    fresh.release();
    await threads.close();
  });

  test('are shared with other threads of the process', async () => {
    const tokenizers = openTokenizers();
    const tokenizer = await tokenizers.load({ path: PATH });
    const encoded = await tokenizer.encode(TEXTS);
    const module = new URL('./joined-tokenizers.fixture.ts', import.meta.url);
    const reports = [1, 2].map(async () => {
      const port = tokenizers.share();
      const data: JoinedData = { port, path: PATH, texts: TEXTS };
      const thread = startThread(module, data, [port]);
      const report = await new Promise((resolve) => thread.onMessage(resolve));
      thread.send('end');
      await thread.ended;
      return report as JoinedReport;
    });
    for (const { ids, reason } of await Promise.all(reports)) {
      assert.deepEqual(
        ids,
        encoded.map(({ windows }) => [...windows[0]!.ids]),
      );
      assert.match(reason, /tokenizer\.json is no tokenizer/);
    }
    assert.equal((await tokenizer.encode(TEXTS)).length, 3);
    await tokenizer.close();
    await tokenizers.close();
  });

  test('that fail are replaced', async () => {
    const facts = { specialTokens: { single: [], pair: [] } } as unknown as LoadedFacts;
    const fail: (() => void)[] = [];
    const host = {
      async connect() {
        const { port1, port2 } = new MessageChannel();
        const { promise: ended, resolve } = Promise.withResolvers<void>();
        fail.push(resolve);
        const number = fail.length;
        port2.on('message', (requests: readonly TokenizerRequest[]) => {
          if (number === 1) return;
          const replies = requests.map(({ id }): TokenizerReply => ({ id, tokenId: 7 }));
          port2.postMessage(replies);
        });
        return { port: port1, facts, ended, release: () => port2.close() };
      },
      close: async () => {},
    };
    const tokenizer = await RemoteTokenizer.open(host, { path: PATH });
    const lost = tokenizer.idOf('a');
    // The first thread has got the request, and does not answer.
    await new Promise((resolve) => setImmediate(resolve));
    fail[0]!();
    await assert.rejects(lost, {
      code: 'INTERNAL',
      message: 'The tokenizer of the model has failed.',
    });
    assert.equal(await tokenizer.idOf('a'), 7);
    assert.equal(fail.length, 2);
    await tokenizer.close();
  });
});

describe('a file that is no tokenizer is refused:', () => {
  const model = { type: 'WordLevel', vocab: {}, unk_token: '[UNK]' };
  for (const [what, content, message] of [
    ['an empty file', '', /is not JSON/],
    ['half a file', readFileSync(PATH, 'utf8').slice(0, 5000), /is not JSON/],
    ['a list', '[]', /it is not an object/],
    ['an object without a model', '{}', /is no tokenizer: Model missing/],
    ['an unknown model', JSON.stringify({ ...file, model: { type: 'Magic' } }), /is no tokenizer/],
    [
      'an unknown normalizer',
      JSON.stringify({ ...file, normalizer: { type: 'Magic' } }),
      /is no tokenizer/,
    ],
    [
      'a broken pattern',
      JSON.stringify({
        ...file,
        pre_tokenizer: {
          type: 'Split',
          pattern: { Regex: '(' },
          behavior: 'Isolated',
          invert: false,
        },
      }),
      /is no tokenizer/,
    ],
    [
      'merges of unknown tokens',
      JSON.stringify({ ...file, model: { type: 'BPE', vocab: { a: 0 }, merges: ['a b'] } }),
      /is no tokenizer: .*`b` out of vocabulary/,
    ],
    ['no vocabulary', JSON.stringify({ ...file, added_tokens: [], model }), /not even texts/],
  ] as const) {
    test(what, async () => {
      using folder = temporaryFiles({ 'tokenizer.json': content });
      const tokenizers = openTokenizers();
      await assert.rejects(tokenizers.load({ path: join(folder.path, 'tokenizer.json') }), {
        code: 'INVALID_CONFIG',
        message,
      });
      await tokenizers.close();
    });
  }

  test('no file', async () => {
    const tokenizers = openTokenizers();
    await assert.rejects(tokenizers.load({ path: 'no/tokenizer.json' }), {
      code: 'INVALID_CONFIG',
      message: 'tokenizer.json cannot be read.',
    });
    await tokenizers.close();
  });

  test('bytes that are not UTF-8', async () => {
    using folder = temporaryFiles({ 'tokenizer.json': '' });
    const path = join(folder.path, 'tokenizer.json');
    writeFileSync(path, Uint8Array.of(0x7b, 0xff, 0x7d));
    const tokenizers = openTokenizers();
    await assert.rejects(tokenizers.load({ path }), { message: 'tokenizer.json is not UTF-8.' });
    await tokenizers.close();
  });
});
