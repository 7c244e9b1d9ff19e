/** @module Folders from Hugging Face as versions, with the real engine and weights of every architecture. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openEngine, type Tensor } from '../../../native/index.ts';
import {
  type Config,
  createLog,
  createRuntime,
  type Runtime,
  type TaskName,
} from '../../../runtime/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { testConfig } from '../../support/service.ts';

const FIXTURES = path.resolve('test/fixtures/text');

/** A runtime over a repository, on an engine of its own. */
async function open(root: string, settings: Partial<Config> = {}) {
  const engine = openEngine();
  const config = { ...testConfig(root), ...settings };
  const runtime = await createRuntime(config, engine, { log: createLog('silent') });
  return {
    runtime,
    version: (model: string) => runtime.routes.describe({ model, version: undefined }),
    resolve: (tasks: readonly TaskName[], model?: string) =>
      runtime.routes.resolve({ model, version: undefined, tasks }),
    async [Symbol.asyncDispose]() {
      await runtime.close();
      await engine.close();
    },
  };
}

/** A repository with copies of fixtures, which `change` may edit. */
function copies(names: readonly string[], change: (root: string) => void = () => {}) {
  const folder = temporaryFiles({});
  for (const name of names) {
    cpSync(path.join(FIXTURES, name), path.join(folder.path, name), { recursive: true });
  }
  change(folder.path);
  return folder;
}

const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const editJson = (file: string, change: object) =>
  writeFileSync(file, JSON.stringify({ ...json(file), ...change }));

const int64 = (dims: readonly number[], ids: readonly number[]): Tensor => ({
  type: 'int64',
  dims,
  data: BigInt64Array.from(ids, BigInt),
});

describe('every architecture', () => {
  let opened: Awaited<ReturnType<typeof open>>;
  before(async () => {
    opened = await open(FIXTURES);
  });
  after(() => opened[Symbol.asyncDispose]());

  for (const [name, task, output, labels, window] of [
    ['bert-sentiment', 'text-classification', 'logits', 3, 64],
    ['bert-ner', 'token-classification', 'logits', 7, 64],
    ['bert-ner-bioes', 'token-classification', 'logits', 13, 64],
    ['bert-embed', 'feature-extraction', 'last_hidden_state', 0, 64],
    ['distilbert-sentiment', 'text-classification', 'logits', 2, 64],
    ['distilbert-one-label', 'text-classification', 'logits', 1, 64],
    ['distilbert-multi-label', 'text-classification', 'logits', 4, 64],
    ['distilbert-regression', 'text-classification', 'logits', 1, 64],
    ['deberta-ner', 'token-classification', 'logits', 7, 64],
    ['mpnet-embed', 'feature-extraction', 'last_hidden_state', 0, 48],
    ['roberta-nli', 'zero-shot-classification', 'logits', 3, 64],
    ['xlmr-rerank', 'rerank', 'logits', 1, 64],
  ] as const) {
    test(`${name}: ${task}, whose requests share runs in buckets of lengths`, () => {
      const { text, taskName, signature, device, labels: byOutput } = opened.version(name);
      assert.equal(taskName, task);
      assert.ok(text !== undefined);
      assert.deepEqual([text.output, text.labels.length, text.window], [output, labels, window]);
      assert.equal(text.inputs.length, undefined);
      assert.ok(text.batched, signature.batching.reason);
      assert.deepEqual(signature.batching.axes, { sequence_length: [16, 32, window] });
      assert.deepEqual(device.notes, []);
      assert.deepEqual(byOutput, labels === 0 ? {} : { [output]: text.labels });
    });
  }

  for (const [name, task, encoderDecoder] of [
    ['t5', 'text2text-generation', true],
    ['t5-gated', 'text2text-generation', true],
    ['bart', 'text2text-generation', true],
    ['marian', 'text2text-generation', true],
    ['gpt2', 'text-generation', false],
    ['llama', 'text-generation', false],
  ] as const) {
    test(`${name}: ${task}, as one model`, () => {
      const { text, taskName, signature } = opened.version(name);
      assert.equal(taskName, task);
      assert.equal(text!.generation!.encoderDecoder, encoderDecoder);
      assert.deepEqual(
        signature.inputs.map((input) => input.name),
        ['input_ids', 'parameters'],
      );
    });

    test(`${name} generates the tokens of transformers, also for requests that share its steps`, async () => {
      const { texts, generations } = json(path.join(FIXTURES, name, 'reference.json'));
      const version = opened.version(name);
      const { eosTokenIds = [] } = version.text!.generation!.text.options;
      for (const [options, parameters] of [
        // All options are those of generation_config.json.
        ['as configured', ''],
        ['greedy', '{"numBeams":1,"maxNewTokens":24}'],
      ]) {
        const found = generations.find((each: { name: string }) => each.name === options);
        if (found === undefined) continue;
        const given: Tensor = { type: 'string', dims: [1], data: [parameters!] };
        const made = await Promise.all(
          found.results.map((_: unknown, i: number) => {
            const { ids } = texts[i];
            return version.run({ input_ids: int64([1, ids.length], ids), parameters: given }, {});
          }),
        );
        for (const [i, { outputs }] of made.entries()) {
          if (found.results[i] === null) continue;
          const [{ ids, finish_reason }] = found.results[i];
          const expected = ids.filter((id: number) => !eosTokenIds.includes(id)).map(BigInt);
          assert.deepEqual([...outputs.output_ids.data], expected, texts[i].text);
          assert.deepEqual(outputs.finish_reason.data, [finish_reason]);
        }
        assert.ok(found.results.filter(Boolean).length >= 3);
      }
    });
  }

  test('all models are ready, and the parts of none are models of their own', () => {
    assert.ok(opened.runtime.readyForV2());
    assert.ok(opened.runtime.models().every(({ name }) => !name.includes('.')));
  });

  test('a padded row has the scores of the row alone', async () => {
    const version = opened.version('roberta-nli');
    const { inputs } = version.text!;
    const row = (ids: readonly number[], length: number) => {
      const padded = Array.from({ length }, (_, i) => ids[i] ?? inputs.padId);
      const mask = padded.map((_, i) => Number(i < ids.length));
      return {
        input_ids: int64([1, length], padded),
        attention_mask: int64([1, length], mask),
      };
    };
    const ids = [0, 20, 45, 6, 81, 2];
    const [alone, padded] = await Promise.all(
      [6, 40].map((length) => version.run(row(ids, length), {})),
    );
    const scores = alone!.outputs.logits!.data as Float32Array;
    for (const [i, score] of (padded!.outputs.logits!.data as Float32Array).entries()) {
      assert.ok(Math.abs(score - scores[i]!) < 1e-5, `${score} is not ${scores[i]}`);
    }
  });

  test('several models of a task have no default, and the error names them', () => {
    assert.throws(() => opened.resolve(['token-classification']), {
      code: 'MODEL_NOT_FOUND',
      message: `Several models are for token-classification, and none of them is the default; write one of 'bert-ner', 'bert-ner-bioes', 'deberta-ner' in the field 'model', or "default": true in the model.json of one.`,
    });
  });

  test('the only model of a task is its default, also if its task is not the first choice', () => {
    assert.equal(opened.resolve(['rerank', 'feature-extraction']).model, 'xlmr-rerank');
    assert.equal(opened.resolve(['zero-shot-classification']).model, 'roberta-nli');
  });

  test('a model of another task is refused with both', () => {
    assert.throws(() => opened.resolve(['token-classification'], 'bert-sentiment'), {
      code: 'WRONG_TASK',
      message:
        "Model 'bert-sentiment' does text-classification, but the request needs token-classification; name one of 'bert-ner', 'bert-ner-bioes', 'deberta-ner'.",
    });
    assert.throws(() => opened.resolve(['classification', 'regression', 'raw'], 't5'), {
      code: 'WRONG_TASK',
      message: /^Model 't5' does text2text-generation, but the request needs classification or/,
    });
  });
});

describe('settings', () => {
  test('MAX_SEQ_LENGTH limits windows, and TRANSFORMER_MODEL chooses the default of its task', async () => {
    using folder = copies(['bert-embed', 'mpnet-embed', 'gpt2', 'distilbert-sentiment']);
    await using opened = await open(folder.path, {
      maxSequenceLength: 32,
      transformerModel: 'mpnet-embed',
    });
    assert.equal(opened.version('bert-embed').text!.window, 32);
    assert.equal(opened.version('gpt2').text!.window, 32);
    const { axes } = opened.version('bert-embed').signature.batching;
    assert.deepEqual(axes, { sequence_length: [16, 32] });
    assert.equal(opened.resolve(['feature-extraction']).model, 'mpnet-embed');
    assert.equal(opened.resolve(['text-classification']).model, 'distilbert-sentiment');
  });

  test('model.json adds labels, a threshold and limits, and keeps the axes', async () => {
    using folder = copies(['bert-ner'], (root) =>
      writeFileSync(
        path.join(root, 'bert-ner/model.json'),
        JSON.stringify({
          labels: ['O', 'B-A', 'I-A', 'B-B', 'I-B', 'B-C', 'I-C'],
          threshold: 0.5,
          batching: { maxRows: 8 },
          default: true,
        }),
      ),
    );
    await using opened = await open(folder.path);
    const { text, signature } = opened.version('bert-ner');
    assert.deepEqual([text!.labels[1], text!.threshold], ['B-A', 0.5]);
    assert.equal(signature.batching.maxRows, 8);
    assert.deepEqual(signature.batching.axes, { sequence_length: [16, 32, 64] });
  });
});

describe('a folder that texts cannot be read with', () => {
  const reasonsOf = (runtime: Runtime) =>
    Object.fromEntries(
      runtime
        .models()
        .map(({ name, versions: [version] }) => [
          name,
          { state: version!.state, reason: version!.reason, notes: version!.notes ?? [] },
        ]),
    );

  test('is served by /v2, and routes for text say what to do', async () => {
    using folder = copies(['bert-sentiment', 'roberta-nli', 'distilbert-sentiment'], (root) => {
      rmSync(path.join(root, 'bert-sentiment/tokenizer.json'));
      editJson(path.join(root, 'roberta-nli/config.json'), { architectures: ['GPT2LMHeadModel'] });
      editJson(path.join(root, 'distilbert-sentiment/config.json'), {
        architectures: ['DistilBertForTokenClassification'],
      });
    });
    await using opened = await open(folder.path);
    const reasons = reasonsOf(opened.runtime);
    for (const [name, note] of [
      ['bert-sentiment', /^There is no tokenizer\.json beside vocab\.txt, so that texts cannot/],
      ['roberta-nli', /^The graph of the decoder has no inputs past_key_values/],
      ['distilbert-sentiment', /^The task token-classification needs an output of floats/],
    ] as const) {
      assert.equal(reasons[name]!.state, 'ready');
      assert.match(reasons[name]!.notes.join(' '), note);
      const version = opened.version(name);
      assert.equal(version.text, undefined);
      const { outputs } = await version.run(version.exampleRow(), {});
      assert.ok(outputs.logits !== undefined);
      assert.throws(() => opened.resolve([version.taskName!], name), {
        code: 'MODEL_NOT_READY',
        message: new RegExp(`^Model '${name}' cannot read texts\\. ${note.source.slice(1)}`),
      });
      // It is the only one of its task, so that a request that names none gets the same reason.
      assert.throws(() => opened.resolve([version.taskName!]), { code: 'MODEL_NOT_READY' });
    }
  });

  test('fails with the mistake in its files, and the error has the reason', async () => {
    using folder = copies(['bert-sentiment', 'bert-embed', 'gpt2', 'xlmr-rerank'], (root) => {
      writeFileSync(path.join(root, 'bert-sentiment/tokenizer.json'), '{"version": "1.0"}');
      writeFileSync(path.join(root, 'bert-embed/modules.json'), '{}');
      writeFileSync(path.join(root, 'gpt2/generation_config.json'), '{"num_beams": 0}');
      editJson(path.join(root, 'xlmr-rerank/config.json'), { id2label: { 0: 'a', 1: 'b' } });
    });
    await using opened = await open(folder.path);
    const reasons = reasonsOf(opened.runtime);
    for (const [name, task, reason] of [
      ['bert-sentiment', 'text-classification', /tokenizer/],
      ['bert-embed', 'feature-extraction', /^modules\.json of 'bert-embed' is wrong: it must be a/],
      ['gpt2', 'text-generation', /^generation_config\.json of 'gpt2' is wrong: num_beams must be/],
      ['xlmr-rerank', 'rerank', /names 2 labels, but output 'logits' has 1 scores/],
    ] as const) {
      assert.equal(reasons[name]!.state, 'failed');
      assert.match(reasons[name]!.reason, reason);
      assert.doesNotMatch(reasons[name]!.reason, /\/tmp\//);
      for (const model of [name, undefined]) {
        assert.throws(
          () => opened.resolve([task], model),
          (error: Error) => {
            assert.equal('code' in error && error.code, 'MODEL_NOT_READY');
            assert.ok(error.message.includes(reasons[name]!.reason), error.message);
            return true;
          },
        );
      }
    }
  });

  test('is not ready if its defaults of a generation contradict its graphs', async () => {
    const wrong = [
      ['gpt2', { num_beams: 1000 }, /'numBeams' must be from 1 to 64 but is 1000/],
      ['llama', { bad_words_ids: [[1_000_000]] }, /'badWordsIds' must be from 0 to \d+ but is/],
      ['t5', { decoder_start_token_id: null }, /'decoderStartTokenId' is missing/],
      ['bart', { forced_bos_token_id: 1_000_000 }, /'forcedBosTokenId' must be from 0 to/],
    ] as const;
    const names = wrong.map(([name]) => name);
    using folder = copies(names, (root) => {
      for (const [name, change] of wrong) {
        editJson(path.join(root, name, 'generation_config.json'), change);
      }
    });
    await using opened = await open(folder.path);
    const reasons = reasonsOf(opened.runtime);
    for (const [name, , reason] of wrong) {
      assert.equal(reasons[name]!.state, 'failed', name);
      assert.match(reasons[name]!.reason, /^The model cannot generate text with the defaults in/);
      assert.match(reasons[name]!.reason, reason);
    }
  });

  test('does not take the place of one that works', async () => {
    using folder = copies(['bert-ner', 'deberta-ner'], (root) => {
      rmSync(path.join(root, 'bert-ner/tokenizer.json'));
      editJson(path.join(root, 'deberta-ner/config.json'), {});
    });
    await using opened = await open(folder.path);
    assert.equal(opened.resolve(['token-classification']).model, 'deberta-ner');
  });
});

test('a version may be a folder from Hugging Face, with another tokenizer than the next', async () => {
  using folder = temporaryFiles({ 'm/model.json': '{"default_version": "v1"}' });
  for (const [version, name] of [
    ['v1', 'distilbert-sentiment'],
    ['v2', 'bert-sentiment'],
  ] as const) {
    mkdirSync(path.join(folder.path, 'm', version));
    cpSync(path.join(FIXTURES, name), path.join(folder.path, 'm', version), { recursive: true });
  }
  await using opened = await open(folder.path);
  const [first, second] = ['v1', 'v2'].map((version) =>
    opened.runtime.routes.describe({ model: 'm', version }),
  );
  assert.deepEqual(first!.text!.labels, ['NEGATIVE', 'POSITIVE']);
  assert.deepEqual(second!.text!.labels, ['negative', 'neutral', 'positive']);
  assert.equal(opened.resolve(['text-classification']).version, 'v1');
});
