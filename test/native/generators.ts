/** @module The generative models of test/fixtures/text, and what `generate()` of transformers says that they generate. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type {
  Engine,
  GenerateOptions,
  GenerationResult,
  GenerativeModel,
  GeneratorOptions,
} from '../../native/index.ts';
import { until } from './support.ts';

const folder = path.resolve(import.meta.dirname, '../fixtures/text');

/** One call of transformers' `generate()`, with its arguments, for each text. */
interface Reference {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** For each text the sequences, best first; null if the call is left out because it is not decided by a margin. */
  readonly results: readonly (readonly ReferenceResult[] | null)[];
}

interface ReferenceResult {
  /** The generated tokens, with the one that ended the sequence. */
  readonly ids: readonly number[];
  readonly finish_reason: GenerationResult['finishReason'];
  /** With beam search. */
  readonly score?: number;
}

/** A generation, and what must come out of it. */
export interface Case {
  readonly name: string;
  readonly inputIds: readonly number[];
  readonly options: GenerateOptions;
  readonly tokens: readonly number[];
  readonly finishReason: GenerationResult['finishReason'];
  readonly score: number | undefined;
}

const read = (name: string, file: string) =>
  JSON.parse(readFileSync(path.join(folder, name, file), 'utf8'));

/** Returns the path of a file of a fixture. */
export const textFile = (name: string, file: string): string =>
  path.join(folder, name, 'onnx', file);

/** Whether a fixture has an encoder. */
const hasEncoder = (name: string) => existsSync(textFile(name, 'encoder_model.onnx'));

/** The options that load a fixture from one decoder. */
export const filesOf = (name: string): GeneratorOptions =>
  hasEncoder(name)
    ? {
        name,
        encoder: textFile(name, 'encoder_model.onnx'),
        decoder: textFile(name, 'decoder_model_merged.onnx'),
      }
    : { name, decoder: textFile(name, 'model.onnx') };

/** The options that load `t5` or `t5-gated` from two decoders, one for the first step and one for the others. */
export const twoDecoders = (name: string): GeneratorOptions => ({
  name,
  encoder: textFile(name, 'encoder_model.onnx'),
  decoder: textFile(name, 'decoder_model.onnx'),
  decoderWithPast: textFile(name, 'decoder_with_past_model.onnx'),
});

/** Loads a fixture, calls `body` and closes the model. */
export async function withGenerator(
  engine: Engine,
  name: string,
  body: (model: GenerativeModel) => unknown,
  options: Partial<GeneratorOptions> = {},
): Promise<void> {
  const model = await engine.loadGenerator({ ...filesOf(name), ...options });
  try {
    await body(model);
  } finally {
    await model.close();
  }
}

/** Settings of transformers that have no option here, or another one. */
const others = new Set([
  'bosTokenId',
  'maxLength',
  'minLength',
  'numReturnSequences',
  'eosTokenId',
]);

/** Returns the options for settings of transformers, whose lengths count the sequence from its beginning. */
function optionsOf(settings: Readonly<Record<string, unknown>>, before: number): GenerateOptions {
  const named = Object.entries(settings).map(([name, value]): [string, unknown] => [
    name.replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase()),
    value,
  ]);
  const { max_length, max_new_tokens, min_length = 0, min_new_tokens } = settings;
  const maxNewTokens = Number(max_new_tokens ?? Math.max(Number(max_length) - before, 0));
  const least = Number(min_new_tokens ?? Math.max(Number(min_length) - before, 0));
  return {
    ...Object.fromEntries(named.filter(([name]) => !others.has(name) && !name.startsWith('trans'))),
    maxNewTokens,
    minNewTokens: Math.min(least, maxNewTokens),
    eosTokenIds: [settings.eos_token_id].flat() as number[],
  };
}

/** Returns the generations of a fixture whose tokens are known. */
export function casesOf(name: string): readonly Case[] {
  const { texts, generations } = read(name, 'reference.json') as {
    texts: readonly { readonly ids: readonly number[] }[];
    generations: readonly Reference[];
  };
  const config = read(name, 'generation_config.json');
  return generations.flatMap(({ name: title, options, results }) =>
    results.flatMap((sequences, text): Case[] => {
      if (sequences === null) return [];
      const inputIds = texts[text]!.ids;
      const own = optionsOf({ ...config, ...options }, hasEncoder(name) ? 1 : inputIds.length);
      const { ids, finish_reason, score } = sequences[0]!;
      const ended = (own.eosTokenIds as number[]).includes(ids.at(-1)!);
      return [
        {
          name: `${title}, text ${text}`,
          inputIds,
          options: own,
          tokens: ended ? ids.slice(0, -1) : ids,
          finishReason: finish_reason,
          score,
        },
      ];
    }),
  );
}

/** A generation of the fixture `t5` that goes on until it is ended, if nobody waits for minutes. */
export const unending: GenerateOptions = { maxNewTokens: 100_000, decoderStartTokenId: 0 };

/** A short one. */
export const short: GenerateOptions = { maxNewTokens: 5, decoderStartTokenId: 0 };

/** Some input of the fixture `t5`. */
export const input: readonly number[] = [24, 320, 10, 128, 512, 243, 3, 449, 4, 65, 15, 1];

/** Resolves once the model runs that many generations. */
export const running = (model: GenerativeModel, count: number): Promise<void> =>
  until(() => model.stats().running === count);

/** Resolves once nothing waits or runs. */
export const idle = (model: GenerativeModel): Promise<void> =>
  until(() => {
    const { queued, running: now } = model.stats();
    return queued + now === 0;
  });

/** Returns all tokens of an iteration, and how many parts they came in. */
export async function collect(
  tokens: AsyncIterable<Int32Array>,
): Promise<{ tokens: number[]; parts: number }> {
  const all: number[] = [];
  let parts = 0;
  for await (const part of tokens) {
    all.push(...part);
    parts++;
  }
  return { tokens: all, parts };
}
