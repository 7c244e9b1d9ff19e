/** @module Folders as Hugging Face keeps them, made of a few short files. */

import { Repository } from '../../runtime/repository/index.ts';
import type { TextDescription } from '../../runtime/text/index.ts';
import { type VersionSource, versionSource } from '../../runtime/version-source.ts';
import { type Files, temporaryFiles } from './files.ts';

/** The content of files by their path; objects are written as JSON. */
export type FolderFiles = Readonly<Record<string, string | object>>;

export const asText = (files: FolderFiles): Files =>
  Object.fromEntries(
    Object.entries(files).map(([name, content]) => [
      name,
      typeof content === 'string' ? content : JSON.stringify(content),
    ]),
  );

/** A folder of a text classifier whose graph and tokenizer are empty files. */
export const classifierFolder: FolderFiles = {
  'config.json': {
    architectures: ['BertForSequenceClassification'],
    model_type: 'bert',
    vocab_size: 30,
    max_position_embeddings: 512,
    pad_token_id: 0,
    id2label: { 0: 'NEGATIVE', 1: 'POSITIVE' },
  },
  'tokenizer.json': '{}',
  'tokenizer_config.json': { model_max_length: 512, pad_token: '[PAD]', unk_token: '[UNK]' },
  'onnx/model.onnx': '',
};

/** What is read of the one version of the model that these files are. @throws {ServeError} */
export async function sourceOf(
  files: FolderFiles,
  settings: { readonly device?: string } = {},
): Promise<VersionSource> {
  const inModel = Object.entries(asText(files)).map(([name, content]) => [`m/${name}`, content]);
  using folder = temporaryFiles(Object.fromEntries(inModel));
  const { models } = await (await Repository.open(folder.path)).scan();
  const [model, ...others] = models;
  if (others.length > 0) throw new Error(`These are ${models.length} models.`);
  const limits = { device: 'cpu', engineCache: '', batchSize: undefined, ...settings };
  // The folder is removed when this is read.
  return await versionSource(model!, model!.versions[0]!, limits);
}

/** @throws {ServeError}, and an error if the files say nothing about text. */
export async function descriptionOf(files: FolderFiles): Promise<TextDescription> {
  const { text } = await sourceOf(files);
  if (text === undefined) throw new Error('The files say nothing about text.');
  return text;
}
