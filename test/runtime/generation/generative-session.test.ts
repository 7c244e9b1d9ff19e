/** @module A model that generates text behind the surface that every version has. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { packStrings, type Tensor, type Tensors } from '../../../native/index.ts';
import { GenerativeSession } from '../../../runtime/generation/index.ts';
import type { VersionRunOptions } from '../../../runtime/model.ts';
import type { GenerationSettings } from '../../../runtime/text/index.ts';
import { assertBelow, processMs } from '../../support/below.ts';
import { type GeneratorScript, PuppetGenerator } from '../../support/puppet-generator.ts';

/** CPU time in which parameters are refused, milliseconds. */
const MOST_MS = 20;
const NO_DEFAULTS: GenerationSettings = {
  prefix: '',
  maxLength: undefined,
  minLength: undefined,
  options: {},
};

interface Given {
  readonly defaults?: Partial<GenerationSettings>;
  readonly script?: Partial<GeneratorScript>;
  readonly encoder?: string;
  readonly maxPositions?: number;
}

function open({ defaults = {}, script = {}, encoder, maxPositions }: Given = {}) {
  const options = {
    decoder: 'decoder.onnx',
    ...(encoder === undefined ? {} : { encoder }),
    ...(maxPositions === undefined ? {} : { maxPositions }),
  };
  const native = new PuppetGenerator({ tokens: (ids) => ids.toReversed(), ...script }, options);
  const session = new GenerativeSession(native, { ...NO_DEFAULTS, ...defaults }, 32);
  return { native, session, optionsOf: () => native.generations.at(-1)!.options };
}

const int64 = (...ids: number[]): Tensor => ({
  type: 'int64',
  dims: [1, ids.length],
  data: BigInt64Array.from(ids, BigInt),
});
const text = (parameters: string): Tensor => ({ type: 'string', dims: [1], data: [parameters] });
const inputs = (ids: readonly number[], parameters?: object): Tensors => ({
  input_ids: int64(...ids),
  ...(parameters === undefined ? {} : { parameters: text(JSON.stringify(parameters)) }),
});
const run = (session: GenerativeSession, given: Tensors, options: VersionRunOptions = {}) =>
  session.run(given, options);

describe('a run', () => {
  test('takes a prompt and returns the tokens that follow', async () => {
    const { session } = open();
    const { outputs, packedStrings, timings } = await run(session, inputs([3, 4, 5]));
    assert.deepEqual(outputs, {
      output_ids: int64(5, 4, 3),
      finish_reason: text('stop'),
      score: { type: 'float32', dims: [1], data: Float32Array.of(0) },
    });
    assert.equal(packedStrings, undefined);
    assert.equal(typeof timings.queueMs, 'number');
  });

  test('has the signature of what it takes and returns', () => {
    const { session } = open();
    const { inputs: takes, outputs: gives, batching } = session.signature;
    assert.deepEqual(
      [...takes, ...gives].map(({ name, type, dims }) => [name, type, dims]),
      [
        ['input_ids', 'int64', [1, -1]],
        ['parameters', 'string', [1]],
        ['output_ids', 'int64', [1, -1]],
        ['finish_reason', 'string', [1]],
        ['score', 'float32', [1]],
      ],
    );
    assert.deepEqual(batching, { enabled: false, maxRows: 32, reason: '' });
  });

  test('takes bytes of a message at any offset', async () => {
    const { session, optionsOf } = open();
    const message = new Uint8Array(1 + 16);
    message.set(new Uint8Array(BigInt64Array.of(7n, 8n).buffer), 1);
    const given: Tensors = {
      input_ids: { type: 'int64', dims: [1, 2], data: message.subarray(1) },
      parameters: { type: 'string', dims: [1], data: packStrings(['{"topK":3}']) },
    };
    const { outputs } = await run(session, given);
    assert.deepEqual(outputs.output_ids, int64(8, 7));
    assert.equal(optionsOf().topK, 3);
  });

  test('returns the outputs that are wanted, and strings as bytes if they are', async () => {
    const { session } = open();
    const names = ['finish_reason', 'output_ids'];
    const { outputs } = await run(session, inputs([1]), { outputs: names });
    assert.deepEqual(Object.keys(outputs), names);
    const packed = await run(session, inputs([1]), { outputs: names, packStrings: true });
    assert.deepEqual(Object.keys(packed.outputs), ['output_ids']);
    assert.deepEqual(packed.packedStrings, {
      finish_reason: { type: 'string', dims: [1], data: packStrings(['stop']) },
    });
  });

  test('passes the deadline, the signal and the priority on', async () => {
    const { session, optionsOf } = open();
    const { signal } = new AbortController();
    await run(session, inputs([1]), { timeoutMs: 5000, signal, priority: 3 });
    const { timeoutMs, priority, stream } = optionsOf();
    assert.deepEqual([timeoutMs, priority, stream], [5000, 3, false]);
    assert.equal(optionsOf().signal, signal);
  });

  test('rejects with the reason of the signal', async () => {
    const { native, session } = open();
    native.hold();
    const abort = new AbortController();
    const running = run(session, inputs([1, 2]), { signal: abort.signal });
    abort.abort(new Error('The client has gone'));
    await assert.rejects(running, { message: 'The client has gone' });
    assert.equal(native.counts.cancelled, 1);
  });

  test('fails with what the engine fails with', async () => {
    const { session } = open({
      script: {
        tokens: () => {
          throw new Error('A step failed');
        },
      },
    });
    await assert.rejects(run(session, inputs([1])), { message: 'A step failed' });
  });
});

describe('parameters', () => {
  const merged = async (given: Given, ids: readonly number[], parameters?: object) => {
    const { session, optionsOf } = open(given);
    await run(session, inputs(ids, parameters));
    const { stream: _, ...options } = optionsOf();
    return options;
  };

  test('have the defaults of the model for what they leave out', async () => {
    const defaults = { options: { numBeams: 4, topK: 5, eosTokenIds: [2] }, maxLength: 20 };
    assert.deepEqual(await merged({ defaults }, [7, 8], { topK: 9 }), {
      numBeams: 4,
      topK: 9,
      eosTokenIds: [2],
      maxNewTokens: 18,
      minNewTokens: 0,
    });
  });

  test('take a default back with null', async () => {
    const defaults = { options: { forcedEosTokenId: 2 } };
    assert.ok(
      !('forcedEosTokenId' in (await merged({ defaults }, [1], { forcedEosTokenId: null }))),
    );
  });

  test('end at max_length, which counts the prompt or the start token', async () => {
    const defaults = { maxLength: 20, minLength: 5 };
    const decoder = await merged({ defaults }, [1, 2, 3]);
    assert.deepEqual([decoder.maxNewTokens, decoder.minNewTokens], [17, 2]);
    const encoder = await merged({ defaults, encoder: 'encoder.onnx' }, [1, 2, 3]);
    assert.deepEqual([encoder.maxNewTokens, encoder.minNewTokens], [19, 4]);
  });

  test('leave at least one new token, and as many as there is room for', async () => {
    assert.equal((await merged({ defaults: { maxLength: 2 } }, [1, 2, 3])).maxNewTokens, 1);
    assert.equal((await merged({ maxPositions: 64 }, [1, 2, 3, 4])).maxNewTokens, 60);
    assert.equal((await merged({}, [1])).maxNewTokens, 128);
    const options = { maxNewTokens: 9 };
    assert.equal((await merged({ defaults: { options, maxLength: 99 } }, [1])).maxNewTokens, 9);
  });

  test('are not contradicted by a default', async () => {
    const given = { defaults: { minLength: 50, options: {} } };
    const { minNewTokens } = await merged(given, [1], { maxNewTokens: 4 });
    assert.equal(minNewTokens, 4);
  });

  test('have at most 4096 new tokens by default', async () => {
    const given = { defaults: { options: { maxNewTokens: 1_000_000 } } };
    const { maxNewTokens } = await merged(given, [1], {});
    assert.equal(maxNewTokens, 4096);
  });

  test('may be empty, and hold texts at which the caller stops', async () => {
    const { session, optionsOf } = open();
    await run(session, { input_ids: int64(1), parameters: text('') });
    await run(session, inputs([1], { stop: ['\n'] }));
    assert.ok(!('stop' in optionsOf()));
  });

  for (const [what, parameters, message] of [
    ['that are no JSON', '{', /'parameters' is not JSON; write an object such as/],
    ['that are a list', '[]', /'parameters' is wrong: it must be an object but is \[\]/],
    ['with an unknown key', '{"maxTokens":3}', /the unknown key 'maxTokens'; write 'maxNewTokens'/],
    ['with a text as a number', '{"numBeams":"4"}', /numBeams must be a number but is "4"/],
    [
      'with half a token',
      '{"maxNewTokens":1.5}',
      /maxNewTokens must be a whole number but is 1\.5/,
    ],
    [
      'with more tokens than a request may have',
      '{"maxNewTokens":1000000}',
      /maxNewTokens must be at most 4096 but is 1000000/,
    ],
    ['with a negative seed', '{"seed":-1}', /seed must be at least 0 but is -1/],
    [
      'with a list of texts as tokens',
      '{"suppressTokens":["a"]}',
      /suppressTokens\[0\] must be a number/,
    ],
    [
      'with an empty bad word',
      '{"badWordsIds":[[]]}',
      /badWordsIds\[0\] must be a list whose length/,
    ],
    ...(
      [
        [
          'eosTokenIds',
          10_000,
          /eosTokenIds must be a number or a list whose length is at most 10000/,
        ],
        ['suppressTokens', 10_000, /suppressTokens must be a list whose length is at most 10000/],
        ['beginSuppressTokens', 10_000, /beginSuppressTokens must be a list whose length/],
        ['badWordsIds', 1000, /badWordsIds must be a list whose length is at most 1000/],
        ['stop', 16, /stop must be a list whose length is at most 16/],
      ] as const
    ).map(
      ([name, most, message]) =>
        [
          `with more than ${most} ${name}`,
          JSON.stringify({ [name]: Array(most + 1).fill(-1) }),
          message,
        ] as const,
    ),
    [
      'with a bad word of more than 100 tokens',
      JSON.stringify({ badWordsIds: [Array(101).fill(1)] }),
      /badWordsIds\[0\] must be a list whose length is at most 100/,
    ],
    ['with a long stop', `{"stop":["${'x'.repeat(257)}"]}`, /stop\[0\] must be .* at most 256/],
    ['with more beams than a request may have', '{"numBeams":17}', /numBeams must be at most 16/],
    ['without beams', '{"numBeams":0}', /numBeams must be at least 1/],
    [
      'with another early stop',
      '{"earlyStopping":"now"}',
      /earlyStopping must be true or false or "never"/,
    ],
    [
      'that are too long',
      `"${'x'.repeat(1024 * 1024)}"`,
      /has 1048578 characters; at most 1048576/,
    ],
  ] as const) {
    test(`${what} are refused`, async () => {
      const { native, session } = open();
      const given = { input_ids: int64(1), parameters: text(parameters) };
      await assert.rejects(run(session, given), { code: 'INVALID_ARGUMENT', message });
      assert.equal(native.generations.length, 0);
    });
  }
});

test('parameters of 1 MiB are refused at once, whatever they hold', async () => {
  const { session } = open();
  for (const [name, values] of Object.entries({
    badWordsIds: Array.from({ length: 90_000 }, (_, i) => [i]),
    'badWordsIds of one': [Array(250_000).fill(-1)],
    suppressTokens: Array(250_000).fill(-1),
    eosTokenIds: Array(250_000).fill(-1),
    stop: Array(90_000).fill(7),
  })) {
    const given = inputs([1], { [name.split(' ')[0]!]: values });
    const refuse = () => assert.rejects(run(session, given), { code: 'INVALID_ARGUMENT' });
    await assertBelow(MOST_MS, 5, () => processMs(refuse), name);
  }
});

describe('inputs', () => {
  for (const [what, given, message] of [
    ['without a prompt', { parameters: text('{}') }, /The input 'input_ids' is missing/],
    [
      'of another name',
      { ...inputs([1]), mask: int64(1) },
      /has no input 'mask'; its inputs are 'input_ids'/,
    ],
    [
      'of another type',
      { input_ids: { type: 'int32', dims: [1, 1], data: Int32Array.of(1) } },
      /must be int64 with the shape \[1, tokens\], one sequence, but is int32 with \[1,1\]/,
    ],
    [
      'of two sequences',
      { input_ids: { type: 'int64', dims: [2, 1], data: BigInt64Array.of(1n, 2n) } },
      /but is int64 with \[2,1\]/,
    ],
    [
      'with fewer tokens than their shape',
      { input_ids: { type: 'int64', dims: [1, 3], data: BigInt64Array.of(1n) } },
      /does not hold the 3 tokens of its shape/,
    ],
    [
      'with fewer bytes than their shape',
      { input_ids: { type: 'int64', dims: [1, 3], data: new Uint8Array(8) } },
      /does not hold the 3 tokens/,
    ],
    [
      'with parameters of another shape',
      { ...inputs([1]), parameters: { type: 'string', dims: [2], data: ['', ''] } },
      /'parameters' must be one string with the shape \[1\]/,
    ],
    [
      'with parameters of another type',
      { ...inputs([1]), parameters: int64(1) },
      /'parameters' must be one string/,
    ],
    [
      'with damaged parameters',
      {
        ...inputs([1]),
        parameters: { type: 'string', dims: [1], data: Uint8Array.of(9, 0, 0, 0) },
      },
      /'parameters' must be one string/,
    ],
  ] as const) {
    test(`${what} are refused`, async () => {
      const { native, session } = open();
      const running = run(session, given as Tensors);
      await assert.rejects(running, { code: 'INVALID_ARGUMENT', message });
      assert.equal(native.generations.length, 0);
    });
  }

  test('an unknown output is refused', async () => {
    const { session } = open();
    await assert.rejects(run(session, inputs([1]), { outputs: ['logits'] }), {
      code: 'INVALID_ARGUMENT',
      message: /has no output 'logits'; it has output_ids, finish_reason, score/,
    });
  });
});

describe('a stream', () => {
  test('gets all tokens in order, and the run still returns them', async () => {
    const { session, optionsOf } = open();
    const got: number[] = [];
    const { outputs } = await run(session, inputs([1, 2, 3]), {
      onTokens: (tokens) => got.push(...tokens),
    });
    assert.deepEqual(got, [3, 2, 1]);
    assert.deepEqual(outputs.output_ids, int64(3, 2, 1));
    assert.equal(optionsOf().stream, true);
  });

  test('that stops ends the generation with the tokens so far', async () => {
    const { native, session } = open();
    const got: number[] = [];
    const { outputs } = await run(session, inputs(Array.from({ length: 50 }, (_, i) => i)), {
      onTokens(tokens, stop) {
        got.push(...tokens);
        if (got.length >= 3) stop();
      },
    });
    assert.deepEqual(outputs.output_ids, int64(...got));
    assert.deepEqual(outputs.finish_reason, text('stop'));
    assert.ok(got.length < 50);
    assert.equal(native.counts.cancelled, 1);
  });

  test('that fails ends the generation, and the run fails with it', async () => {
    const { native, session } = open();
    const running = run(session, inputs([1, 2, 3]), {
      onTokens: () => {
        throw new Error('The tokens cannot be decoded');
      },
    });
    await assert.rejects(running, { message: 'The tokens cannot be decoded' });
    assert.equal(native.counts.cancelled, 1);
  });
});

test('it has the statistics, the device and the life of its model', async () => {
  const { native, session } = open();
  await run(session, inputs([1, 2]));
  assert.equal(session.stats().completed, 1);
  assert.deepEqual(
    [session.name, session.device, session.report],
    [native.name, native.device, native.report],
  );
  assert.equal(session.closed, false);
  await session.close();
  assert.ok(native.closed && session.closed);
});

test('its digest is another one with other defaults, so that the cache keeps no results of the old ones', () => {
  const [first, same, other] = [{}, {}, { maxLength: 7 }].map((defaults) => open({ defaults }));
  assert.match(first!.session.digest, /^[0-9a-f]{64}$/);
  assert.equal(same!.session.digest, first!.session.digest);
  assert.notEqual(other!.session.digest, first!.session.digest);
});
