/** @module The options with which models of texts are loaded, and what happens if the graph contradicts them. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { MillraceError } from '../../../native/errors.ts';
import type { LoadOptions } from '../../../native/index.ts';
import { type Config, createLog, createRuntime } from '../../../runtime/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { PuppetEngine, type PuppetScript } from '../../support/puppet-engine.ts';
import { testConfig } from '../../support/service.ts';

const tokens = (name: string) => ({
  name,
  type: 'int64' as const,
  dims: [-1, -1],
  symbols: ['batch_size', 'sequence_length'],
});
const INPUTS = [tokens('input_ids'), tokens('attention_mask'), tokens('token_type_ids')];
const LOGITS = {
  name: 'logits',
  type: 'float32' as const,
  dims: [-1, 3],
  symbols: ['batch_size', ''],
};
const FILE = { digest: '', inputs: INPUTS, outputs: [LOGITS], metadata: {} };
const SCRIPT: PuppetScript = {
  signature: {
    inputs: INPUTS,
    outputs: [LOGITS],
    batching: { enabled: true, maxRows: 64, reason: '' },
  },
  run: () => ({ logits: { type: 'float32', dims: [1, 3], data: new Float32Array(3) } }),
};

const AXES = {
  sequence_length: {
    buckets: [16, 32, 64],
    pad: { input_ids: 0 },
    mask: 'attention_mask',
  },
};

interface Given {
  readonly fixture?: string;
  readonly config?: object;
  readonly settings?: Partial<Config>;
  /** Keys of its `config.json` that are others than those of the fixture. */
  readonly described?: object;
  readonly load?: (options: LoadOptions) => PuppetScript;
}

/** Loads one model of a fixture's files with a fake engine. */
async function load({ fixture = 'bert-sentiment', config, settings, described, load }: Given = {}) {
  using folder = temporaryFiles({});
  const root = path.join(folder.path, 'm');
  cpSync(path.join('test/fixtures/text', fixture), root, { recursive: true });
  if (config !== undefined) writeFileSync(path.join(root, 'model.json'), JSON.stringify(config));
  const about = path.join(root, 'config.json');
  const known = JSON.parse(readFileSync(about, 'utf8'));
  writeFileSync(about, JSON.stringify({ ...known, ...described }));
  const engine = new PuppetEngine((_, options) => load?.(options) ?? SCRIPT);
  engine.inspect = async () => FILE;
  const runtime = await createRuntime({ ...testConfig(folder.path), ...settings }, engine, {
    log: createLog('silent'),
  });
  const [version] = runtime.models()[0]!.versions;
  await runtime.close();
  return {
    version: version!,
    batching: engine.loads.map(({ batching }) => batching),
    loads: engine.loads,
    generators: engine.generatorLoads,
    model: engine.models.get('m:1'),
    generator: engine.generators.get('m:1'),
  };
}

describe('an encoder', () => {
  for (const [what, given, batching] of [
    ['has the axis of tokens', {}, { axes: AXES, maxElements: 2048 }],
    [
      'has what model.json says beside it',
      { config: { batching: { maxRows: 4, maxQueue: 9 } } },
      { axes: AXES, maxElements: 2048, maxRows: 4, maxQueue: 9 },
    ],
    [
      'has BATCH_SIZE beside it, which declares nothing',
      { settings: { batchSize: 8 } },
      { axes: AXES, maxElements: 2048, autoMaxRows: 8 },
    ],
    [
      'has the rows of model.json before BATCH_SIZE',
      { config: { batching: { maxRows: 4 } }, settings: { batchSize: 8 } },
      { axes: AXES, maxElements: 2048, maxRows: 4 },
    ],
    [
      'has the axes of model.json before its own',
      { config: { batching: { axes: { sequence_length: { buckets: [64] } }, maxElements: 64 } } },
      { axes: { sequence_length: { buckets: [64] } }, maxElements: 64 },
    ],
    ['has none if model.json says so', { config: { batching: false } }, false],
    [
      'has the buckets of MAX_SEQ_LENGTH',
      { settings: { maxSequenceLength: 20 } },
      {
        axes: { sequence_length: { ...AXES.sequence_length, buckets: [16, 20] } },
        maxElements: 2048,
      },
    ],
  ] as const) {
    test(what, async () => {
      const loaded = await load(given);
      assert.deepEqual(loaded.batching, [batching]);
      assert.equal(loaded.version.state, 'ready');
    });
  }

  test('is loaded without the axis if the graph contradicts it, and a note says so', async () => {
    const loaded = await load({
      load: ({ batching }) => {
        if (batching && batching.axes !== undefined) {
          throw new MillraceError('INVALID_ARGUMENT', "Output dimension 'logits:1' changes");
        }
        return SCRIPT;
      },
    });
    assert.equal(loaded.loads.length, 2);
    assert.equal(loaded.batching[1], undefined);
    assert.deepEqual(
      [loaded.version.state, loaded.version.notes],
      [
        'ready',
        ["Texts of different lengths do not share runs: Output dimension 'logits:1' changes"],
      ],
    );
  });

  test('fails with the axis that model.json declares, if the graph contradicts that', async () => {
    const { version, loads } = await load({
      config: { batching: { axes: { sequence_length: { buckets: [64] } } } },
      load: () => {
        throw new MillraceError('INVALID_ARGUMENT', 'No such axis');
      },
    });
    assert.deepEqual([version.state, version.reason, loads.length], ['failed', 'No such axis.', 1]);
  });

  test('that cannot be loaded at all fails with the reason of that', async () => {
    const { version } = await load({
      load: () => {
        throw new MillraceError('RESOURCE_EXHAUSTED', 'There is no memory');
      },
    });
    assert.deepEqual([version.state, version.reason], ['failed', 'There is no memory.']);
  });

  test('is unloaded if its labels do not fit', async () => {
    const { version, model } = await load({ config: { labels: ['a', 'b'] } });
    assert.equal(version.state, 'failed');
    assert.ok(model!.closed);
  });

  test('is warmed with the tokens of a text', async () => {
    const seen: unknown[] = [];
    await load({
      load: () => ({
        ...SCRIPT,
        run(inputs) {
          seen.push(Object.entries(inputs).map(([name, { data }]) => [name, ...data]));
          return SCRIPT.run(inputs);
        },
      }),
    });
    const [[ids, mask, types]] = seen as [[unknown[], unknown[], unknown[]]];
    assert.deepEqual([ids![0], ids![1], ids!.at(-1)], ['input_ids', 2n, 3n], '[CLS] and [SEP]');
    assert.deepEqual(mask, ['attention_mask', ...ids!.slice(1).map(() => 1n)]);
    assert.deepEqual(types, ['token_type_ids', ...ids!.slice(1).map(() => 0n)]);
  });

  test('has a note if its tokenizer has tokens that it does not know', async () => {
    const { version } = await load({ described: { vocab_size: 100 } });
    assert.match(version.notes![0]!, /tokenizer\.json has 900 tokens, but .* the model knows 100:/);
  });
});

describe('a model that generates text', () => {
  const of = async (fixture: string, config: object = {}, settings: Partial<Config> = {}) => {
    const { generators, version, generator, loads } = await load({ fixture, config, settings });
    assert.equal(loads.length, 0);
    const { decoder, decoderWithPast, encoder, cacheDir: _, ...options } = generators[0]!;
    const files = [decoder, decoderWithPast, encoder].map((file) => file && path.basename(file));
    return { files, options, version, generator: generator! };
  };

  test('has its graphs and the positions of its configuration', async () => {
    const t5 = await of('t5');
    assert.deepEqual(t5.files, ['decoder_model_merged.onnx', undefined, 'encoder_model.onnx']);
    assert.deepEqual(t5.options, { name: 'm:1', device: 'cpu', maxRows: 32 });
    const marian = await of('marian');
    const { maxPositions, maxEncoderPositions } = marian.options;
    assert.deepEqual([maxPositions, maxEncoderPositions], [64, 64]);
  });

  test('has the options of model.json and the settings', async () => {
    const config = {
      batching: { maxRows: 4, maxQueue: 9 },
      run_limit_ms: 500,
      weight: 2,
      intra_op_threads: 3,
      device: 'cuda:1',
      device_options: { tf32: false },
      provider_options: { gpu_mem_limit: 1 },
    };
    const { options, version } = await of('t5', config);
    assert.deepEqual(options, {
      name: 'm:1',
      device: 'cuda:1',
      deviceOptions: { tf32: false },
      providerOptions: { gpu_mem_limit: 1 },
      intraOpThreads: 3,
      runLimitMs: 500,
      weight: 2,
      maxRows: 4,
      maxQueue: 9,
    });
    assert.equal(version.maxRows, 4);
    assert.equal((await of('t5', {}, { batchSize: 8 })).options.maxRows, 8);
  });

  for (const [device, used] of [
    ['tensorrt:1', 'cuda:1'],
    ['tensorrt:all', 'cuda:0'],
    ['cuda:all', 'cuda:0'],
  ] as const) {
    test(`runs on ${used} where the others run on ${device}, and a note says so`, async () => {
      const { options, version } = await of('t5', {}, { device });
      assert.equal(options.device, used);
      assert.deepEqual(version.notes, [`Generation runs on ${used}`]);
    });
  }

  test('is warmed with one token, and closed with its version', async () => {
    const { generator } = await of('t5');
    const [warm] = generator.generations;
    assert.equal(warm!.options.maxNewTokens, 1);
    assert.ok(warm!.inputIds.length > 0);
    assert.ok(generator.closed);
  });
});
