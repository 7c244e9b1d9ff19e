/** @module Reads what a folder from Hugging Face says about the text that its graph takes. */

import { z } from 'zod';
import type { DescribedFolder } from './described-folder.ts';
import type { TextDescription } from './description.ts';
import { readModules } from './embedding-modules.ts';
import { readGeneration } from './generation-settings.ts';
import type { ProblemType, TextTaskName } from './text-model.ts';
import { leastOf, positionShape, usablePositions } from './window.ts';

const TOKENIZER = 'tokenizer.json';
const SENTENCE_CONFIG = /^sentence_[\w-]+_config\.json$/;

const PROBLEMS = [
  'single_label_classification',
  'multi_label_classification',
  'regression',
] as const satisfies readonly ProblemType[];

export const problemType = z.enum(PROBLEMS);

const configSchema = z.object({
  ...positionShape,
  id2label: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).nullish(),
  problem_type: problemType.nullish(),
  sentence_transformers: z.looseObject({ activation_fn: z.string().nullish() }).nullish(),
  sbert_ce_default_activation_function: z.string().nullish(),
  pad_token_id: z.int().nullish(),
  vocab_size: z.int().min(1).nullish(),
});

/** A token by its name, or with facts about it. */
const token = z.union([z.string(), z.object({ content: z.string() })]).nullish();
const side = z.enum(['left', 'right']).nullish();

const tokenizerSchema = z.object({
  model_max_length: z.number().nullish(),
  clean_up_tokenization_spaces: z.boolean().nullish(),
  truncation_side: side,
  pad_token: token,
  unk_token: token,
});

const rerankSchema = z.object({ activation_fn: z.string().nullish() });

const specialSchema = z.object({ pad_token: token, unk_token: token });

const sentenceSchema = z.object({
  max_seq_length: z.int().min(1).nullish(),
  do_lower_case: z.boolean().nullish(),
});

/**
 * @throws {ServeError} `INVALID_CONFIG` that names the file and its first mistake. Only files that matter for the task are
 * looked at.
 */
export async function readDescription(
  folder: DescribedFolder,
  task: TextTaskName,
): Promise<TextDescription> {
  const config = (await folder.readOptional('config.json', configSchema)) ?? {};
  const about = (await folder.readOptional('tokenizer_config.json', tokenizerSchema)) ?? {};
  const special = (await folder.readOptional('special_tokens_map.json', specialSchema)) ?? {};
  const sentence = await folder.readOptional(folder.find(SENTENCE_CONFIG), sentenceSchema);
  const generates = task === 'text-generation' || task === 'text2text-generation';
  const modules = task === 'feature-extraction' ? await readModules(folder) : undefined;
  const padding = {
    id:
      typeof config.pad_token_id === 'number' && config.pad_token_id >= 0
        ? config.pad_token_id
        : undefined,
    token: nameOf(about.pad_token) ?? nameOf(special.pad_token),
  };
  const positions = usablePositions(config, padding.id ?? 1, 'encoder');
  const unknownToken = nameOf(about.unk_token) ?? nameOf(special.unk_token);
  const hasTokenizer = folder.has(TOKENIZER);
  return {
    task,
    tokenizer: hasTokenizer
      ? {
          path: folder.pathOf(TOKENIZER),
          cleanUpSpaces: about.clean_up_tokenization_spaces ?? false,
          ...(about.truncation_side ? { truncationSide: about.truncation_side } : {}),
          ...(unknownToken === undefined ? {} : { unknownToken }),
          ...(sentence?.do_lower_case ? { lowersCase: true } : {}),
        }
      : undefined,
    padding,
    vocabulary: config.vocab_size ?? undefined,
    window: leastOf([about.model_max_length, sentence?.max_seq_length, positions]),
    positions,
    labels: labelsOf(folder, config.id2label),
    problemType:
      task === 'rerank' ? await rerankProblem(folder, config) : (config.problem_type ?? undefined),
    embedding: modules?.head,
    generation: generates
      ? await readGeneration(folder, task === 'text2text-generation')
      : undefined,
    obstacle: hasTokenizer ? modules?.obstacle : tokenizerAdvice((file) => folder.has(file)),
  };
}

/**
 * How a cross-encoder's score is read: as it is if a file names that activation, else by a sigmoid. Like CrossEncoder of
 * sentence-transformers, it does not look at `problem_type`.
 */
async function rerankProblem(
  folder: DescribedFolder,
  config: Partial<z.infer<typeof configSchema>>,
): Promise<ProblemType | undefined> {
  const own = await folder.readOptional('config_sentence_transformers.json', rerankSchema);
  const activation =
    own?.activation_fn ??
    config.sentence_transformers?.activation_fn ??
    config.sbert_ce_default_activation_function;
  return activation?.endsWith('.Identity') ? 'regression' : undefined;
}

/**
 * What to do in a folder without `tokenizer.json`, as a sentence without a full stop.
 *
 * @param has Whether a file is in the folder.
 */
export function tokenizerAdvice(has: (file: string) => boolean): string {
  const others = [
    'vocab.txt',
    'vocab.json',
    'spiece.model',
    'sentencepiece.bpe.model',
    'tokenizer.model',
  ];
  const found = others.find(has);
  const instead = found === undefined ? '' : ` beside ${found}`;
  return (
    `There is no ${TOKENIZER}${instead}, so that texts cannot be read: make one in Python with ` +
    "AutoTokenizer.from_pretrained('FOLDER', use_fast=True).save_pretrained('FOLDER') of transformers"
  );
}

const nameOf = (value: z.infer<typeof token>): string | undefined =>
  typeof value === 'string' ? value : value?.content;

/** @throws {ServeError} `INVALID_CONFIG` unless there is a label for each number from 0 on. */
function labelsOf(
  folder: DescribedFolder,
  id2label: z.infer<typeof configSchema>['id2label'],
): readonly string[] | undefined {
  const byId = new Map(Object.entries(id2label ?? {}).map(([id, label]) => [id, String(label)]));
  if (byId.size === 0) return undefined;
  return Array.from(byId, (_, index) => {
    const label = byId.get(String(index));
    if (label !== undefined) return label;
    const ids = [...byId.keys()].slice(0, 4).join(', ');
    throw folder.wrong(
      'config.json',
      `id2label has ${byId.size} labels but none for ${index}; it has ${ids}`,
    );
  });
}
