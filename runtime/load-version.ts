/** @module Loads one version: its graph or, if it generates text, its graphs, and its tokenizer. */

import type { Engine, GeneratorOptions, Model, Tensors } from '../native/index.ts';
import { fromEngine, ServeError } from './errors.ts';
import { GenerativeSession } from './generation/index.ts';
import type { LazyImageDecoder } from './image/decode/index.ts';
import { describeExport, type ImageDescription } from './image/index.ts';
import { type Loaded, loadGraph, obstructed, placeOf, reasonOf } from './load-graph.ts';
import { loadImageModel } from './load-image-model.ts';
import { ModelVersion } from './model.ts';
import { omitUndefined } from './omit-undefined.ts';
import { whyNotFetched } from './repository/lfs-pointer.ts';
import { PARAMETERS, parametersTensor } from './text/generation-tensors.ts';
import {
  encoderInputs,
  exampleRow,
  type GenerationDefaults,
  openEncoder,
  openGenerator,
  paddingId,
  type TextDescription,
  type TextTokenizer,
  type Tokenizers,
  textBatching,
  windowOf,
} from './text/index.ts';
import { validateConfig } from './validate-config.ts';
import type { GeneratorPaths, VersionSource } from './version-source.ts';

/** Most rows of a step of a model that generates text, if `model.json` does not say. */
const GENERATOR_ROWS = 32;

/** How long a load waits for the token that shows whether the defaults of a generation can be used, milliseconds. */
const DEFAULTS_MS = 60_000;

/** What versions are loaded with. */
export interface Loading {
  readonly engine: Engine;
  readonly tokenizers: Tokenizers;
  /** Is made ready with the first version that takes images. */
  readonly decoder?: Pick<LazyImageDecoder, 'prepare'> | undefined;
}

/**
 * Loads one version.
 *
 * @throws {ServeError} `MODEL_NOT_READY` with the reason why this version cannot be served.
 */
export async function loadVersion(loading: Loading, source: VersionSource): Promise<ModelVersion> {
  try {
    const { native, media, notes } = await load(loading, source);
    try {
      validateConfig(source.config, source.settings, native.signature);
      const version = new ModelVersion(source, native, media, notes);
      await version.warm(source.config);
      return version;
    } catch (error) {
      // Nothing waits for this, because a run that warms the model may never end.
      native.close().catch(() => {});
      media?.text?.tokenizer.close().catch(() => {});
      throw error;
    }
  } catch (error) {
    const { path, generator, text } = source;
    const others = [generator?.decoder, generator?.encoder, text?.tokenizer?.path];
    const pointer = await whyNotFetched([path, ...others.filter((each) => each !== undefined)]);
    throw new ServeError('MODEL_NOT_READY', pointer ?? reasonOf(error), { cause: error });
  }
}

async function load(loading: Loading, source: VersionSource): Promise<Loaded> {
  const { engine, tokenizers } = loading;
  const { text } = source;
  if (text === undefined) {
    const image = source.image ?? (await describedInFile(engine, source));
    if (image !== undefined) {
      const loaded = await loadImageModel(engine, source, image);
      // If it cannot be loaded, requests with images say so; those with tensors do not need it.
      if (loaded.media?.image !== undefined) await loading.decoder?.prepare().catch(() => {});
      return loaded;
    }
    return { native: await loadGraph(engine, source), media: undefined, notes: [] };
  }
  const obstacle = text.obstacle ?? (await missingCache(engine, source));
  if (obstacle !== undefined) return withoutText(engine, source, text, obstacle);
  const tokenizer = await tokenizers.load(text.tokenizer!);
  try {
    const loaded =
      source.generator === undefined
        ? await loadEncoder(engine, source, text, tokenizer)
        : await loadGenerator(engine, source, text, source.generator, tokenizer);
    if (loaded.media?.text === undefined) await tokenizer.close();
    return { ...loaded, notes: [...loaded.notes, ...unknownTokens(text, tokenizer)] };
  } catch (error) {
    await tokenizer.close();
    throw error;
  }
}

/** What the model file itself says about images, for a model of which no other file says what it does. */
async function describedInFile(
  engine: Engine,
  { path, bytes, config }: VersionSource,
): Promise<ImageDescription | undefined> {
  if (bytes !== undefined || config.task !== undefined) return undefined;
  return describeExport(await engine.inspect(path), config);
}

/** A note if the tokenizer has tokens that the model does not know. */
function unknownTokens(
  { vocabulary }: TextDescription,
  { facts }: TextTokenizer,
): readonly string[] {
  return vocabulary === undefined || facts.size <= vocabulary
    ? []
    : [
        `tokenizer.json has ${facts.size} tokens, but config.json says that the model knows ${vocabulary}: texts with others are refused`,
      ];
}

/** The graph alone, which `/v2` serves. */
async function withoutText(
  engine: Engine,
  source: VersionSource,
  text: TextDescription,
  obstacle: string,
): Promise<Loaded> {
  const native = await loadGraph(engine, source);
  return obstructed(native, text.task, obstacle, []);
}

async function loadEncoder(
  engine: Engine,
  source: VersionSource,
  text: TextDescription,
  tokenizer: TextTokenizer,
): Promise<Loaded> {
  const { config, path } = source;
  const padId = await paddingId(text, tokenizer);
  const window = windowOf(text, source);
  const own = config.batching;
  const automatic =
    own === false
      ? undefined
      : textBatching(await engine.inspect(path), padId, window, source.device);
  const notes: string[] = [];
  let native: Model;
  try {
    native = await loadGraph(engine, source, { automatic });
  } catch (error) {
    if (automatic === undefined || own === false || own?.axes !== undefined) throw error;
    // The axes are made from names, and the graph may contradict them.
    native = await loadGraph(engine, source);
    notes.push(`Texts of different lengths do not share runs: ${reasonOf(error)}`);
  }
  try {
    const inputs = encoderInputs(native.signature.inputs, padId);
    if (typeof inputs === 'string') return obstructed(native, text.task, inputs, notes);
    const settings = { ...config, maxTokens: source.maxTokens };
    const model = openEncoder(text, settings, native.signature, inputs, tokenizer);
    if (typeof model !== 'string') {
      const example = await exampleRow(model);
      const media = { task: text.task, text: model, obstacle: undefined, example };
      return { native, media, notes };
    }
    // What `model.json` asks for has to work. What was only told by `config.json` need not.
    if (config.task !== undefined) throw new ServeError('INVALID_CONFIG', model);
    return obstructed(native, text.task, model, notes);
  } catch (error) {
    await native.close();
    throw error;
  }
}

/** Why the graph of a decoder cannot generate text; undefined if it can, or is none. */
async function missingCache(engine: Engine, source: VersionSource): Promise<string | undefined> {
  const { generator, path, text } = source;
  if (generator === undefined) {
    return text?.generation === undefined ? undefined : INCOMPLETE;
  }
  if (generator.decoderWithPast !== undefined || generator.encoder !== undefined) return undefined;
  const { inputs } = await engine.inspect(path);
  const hasCache = inputs.length === 0 || inputs.some(({ name }) => name.startsWith('past'));
  return hasCache ? undefined : NO_CACHE;
}

const INCOMPLETE =
  'The folder does not have the graphs that generate text: export the model with optimum-cli export onnx --task text-generation-with-past, or text2text-generation-with-past';
const NO_CACHE =
  'The graph of the decoder has no inputs past_key_values, without which each token would be computed again: export the model with optimum-cli export onnx --task text-generation-with-past';

async function loadGenerator(
  engine: Engine,
  source: VersionSource,
  text: TextDescription,
  paths: GeneratorPaths,
  tokenizer: TextTokenizer,
): Promise<Loaded> {
  const { config, maxTokens } = source;
  const device = generatorDevice(source.device);
  const { maxRows, maxQueue } = config.batching === false ? {} : (config.batching ?? {});
  const rows = maxRows ?? source.batchSize ?? GENERATOR_ROWS;
  const options: GeneratorOptions = omitUndefined({
    ...paths,
    ...placeOf(source),
    device,
    maxRows: rows,
    maxQueue,
    maxPositions: text.generation!.positions,
    maxEncoderPositions: text.positions,
  });
  const native = await engine.loadGenerator(options);
  try {
    const padId = await paddingId(text, tokenizer);
    const model = openGenerator(text, { maxTokens }, native.signature, padId, tokenizer);
    // An encoder without positions takes any number of tokens, so that the tokenizer says how many it is made for.
    const maxInput = native.signature.encoderDecoder
      ? windowOf(text, { maxTokens: undefined })
      : undefined;
    const session = new GenerativeSession(native, model.generation!.text, rows, maxInput);
    const example = await exampleRow(model);
    await checkDefaults(session, example, model.generation!);
    const media = { task: text.task, text: model, obstacle: undefined, example };
    const notes = device === source.device ? [] : [`Generation runs on ${device}`];
    return { native: session, media, notes };
  } catch (error) {
    await native.close();
    throw error;
  }
}

/**
 * Makes one token with the model's defaults for texts and with those for summaries, because every request would be refused for
 * an option that the graphs contradict.
 *
 * @throws {ServeError} `INVALID_CONFIG`
 */
async function checkDefaults(
  session: GenerativeSession,
  example: Tensors,
  { text, summary }: GenerationDefaults,
): Promise<void> {
  for (const { options } of [text, summary]) {
    const parameters = parametersTensor(
      { ...options, maxNewTokens: 1, minNewTokens: 0 },
      text.options,
    );
    try {
      await session.run({ ...example, [PARAMETERS]: parameters }, { timeoutMs: DEFAULTS_MS });
    } catch (error) {
      // Other failures say nothing about the defaults; the run that warms the version notes them.
      if (fromEngine(error).code !== 'INVALID_ARGUMENT') continue;
      throw new ServeError(
        'INVALID_CONFIG',
        `The model cannot generate text with the defaults in generation_config.json or config.json: ${reasonOf(error)}`,
      );
    }
  }
}

/** The caches of a generation lie on one GPU, and change their size in each step, for which TensorRT would build anew. */
const generatorDevice = (device: string): string =>
  device.replace(/^tensorrt/, 'cuda').replace(/:all$/, ':0');
