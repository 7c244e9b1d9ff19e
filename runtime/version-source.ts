/** @module What is loaded for a version: its files and what they say, with the settings that apply to it. */

import { basename, dirname } from 'node:path';
import type { Config } from './config/index.ts';
import { ServeError } from './errors.ts';
import { type ImageDescription, readImageDescription } from './image/index.ts';
import {
  chooseVariant,
  type ModelConfig,
  type ModelFolder,
  type RepositorySettings,
  type VersionFolder,
} from './repository/index.ts';
import { isImageTask, isTextTask } from './tasks/index.ts';
import { DescribedFolder, readDescription, type TextDescription } from './text/index.ts';

/** The settings that decide how versions are loaded. */
export type LoadSettings = Pick<Config, 'device' | 'engineCache' | 'batchSize'> &
  Partial<Pick<Config, 'maxSequenceLength'>>;

/** The files of a model that generates text. */
export interface GeneratorPaths {
  readonly decoder: string;
  readonly decoderWithPast: string | undefined;
  readonly encoder: string | undefined;
}

/** The model file to load, and how to load it. */
export interface VersionSource {
  readonly model: string;
  readonly version: string;
  readonly path: string;
  /** The folder of the files that describe it, of which there may be none. */
  readonly folder: string;
  /** The file's content if a load request contained it. */
  readonly bytes: Uint8Array | undefined;
  readonly config: ModelConfig;
  readonly settings: RepositorySettings;
  /** How it takes text; undefined if it is not known to take any. */
  readonly text: TextDescription | undefined;
  /** How it takes images; undefined if it is not known to take any. */
  readonly image: ImageDescription | undefined;
  /** Set for a model that generates text, whose `path` is that of its decoder. */
  readonly generator: GeneratorPaths | undefined;
  /** The device, in the form of `DEVICE`. */
  readonly device: string;
  /** Folder of TensorRT's engines. */
  readonly engineCache: string;
  /** `BATCH_SIZE`: the cap for models that may be batched and set none of their own. */
  readonly batchSize: number | undefined;
  /** `MAX_SEQ_LENGTH`: most tokens that a model reads at once. */
  readonly maxTokens: number | undefined;
  /** Receives sentences about the served version that an operator should know. */
  readonly notice?: (sentence: string) => void;
}

/**
 * Reads what the files beside a model file say, and chooses the precision that runs.
 *
 * @throws {ServeError} `INVALID_CONFIG` with the reason why the version cannot be served.
 */
export async function versionSource(
  { name: model, config, settings }: ModelFolder,
  version: VersionFolder,
  { device: usual, engineCache, batchSize, maxSequenceLength }: LoadSettings,
): Promise<VersionSource> {
  if (config instanceof ServeError) throw config;
  const device = config.device ?? settings.device ?? usual;
  const { text, image } = await mediaOf(model, config, version);
  const { path, generator, notes } = filesOf(version, config, { text, image }, device);
  return {
    model,
    version: version.version,
    path,
    folder: folderOf(version),
    bytes: version.bytes,
    config,
    settings: { ...settings, notes: [...settings.notes, ...notes] },
    text,
    image,
    generator,
    device,
    engineCache,
    batchSize,
    maxTokens: maxSequenceLength,
  };
}

const folderOf = ({ media, path }: VersionFolder): string => media?.path ?? dirname(path);

/** How the version takes texts or images: the task is the one that `model.json` names, else the one that `config.json` tells. */
async function mediaOf(
  model: string,
  config: ModelConfig,
  version: VersionFolder,
): Promise<Pick<VersionSource, 'text' | 'image'>> {
  const task = config.task ?? version.media?.task;
  const open = () => DescribedFolder.open(model, folderOf(version));
  if (isImageTask(task)) {
    return { text: undefined, image: await readImageDescription(await open(), task, config) };
  }
  if (!isTextTask(task)) return { text: undefined, image: undefined };
  const description = await readDescription(await open(), task);
  const { problem_type } = config;
  return {
    text: problem_type === undefined ? description : { ...description, problemType: problem_type },
    image: undefined,
  };
}

function filesOf(
  { path, notes, variants, generator }: VersionFolder,
  { dtype = 'auto' }: ModelConfig,
  { text, image }: Pick<VersionSource, 'text' | 'image'>,
  device: string,
): Pick<VersionSource, 'path' | 'generator'> & { readonly notes: readonly string[] } {
  if (generator !== undefined && text !== undefined) {
    const { decoder, decoderWithPast, encoder } = generator;
    const chosen = [decoder, decoderWithPast, encoder].map(
      (files) => files && chooseVariant(files, dtype, device),
    );
    const [first, later, reader] = chosen.map((choice) => choice?.file.path);
    return {
      path: first!,
      generator: { decoder: first!, decoderWithPast: later, encoder: reader },
      notes: [...notes, ...chosen.flatMap((choice) => choice?.notes ?? [])],
    };
  }
  // A model without such a task runs the most exact precision on every device, if nothing else is asked for.
  const isMedia = text !== undefined || image !== undefined;
  if (dtype === 'auto' && (!isMedia || variants === undefined)) {
    return { path, generator: undefined, notes };
  }
  const files = variants ?? [{ name: basename(path), path }];
  const { file, notes: about } = chooseVariant(files, dtype, device);
  return { path: file.path, generator: undefined, notes: about };
}
