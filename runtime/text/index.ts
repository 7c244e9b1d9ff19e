/**
 * Models that take text: what the files of a folder from Hugging Face say about them, and what the operations on texts need
 * to know.
 *
 * ```
 * task-of.ts           the task of a folder, by its config.json
 * read-description.ts  all that its files say: tokenizer, window, labels, pooling, generation
 * encoder.ts           which inputs and outputs of a graph are which
 * axes.ts              the lengths to which texts are padded
 * text-model.ts        what the operations on texts know about a loaded version
 * tokenizer/           from texts to tokens and back
 * ```
 *
 * @module
 */

export { textBatching } from './axes.ts';
export { DescribedFolder } from './described-folder.ts';
export type { TextDescription } from './description.ts';
export { encoderInputs } from './encoder.ts';
export { exampleRow } from './example-row.ts';
export { openEncoder, openGenerator, paddingId, windowOf } from './open-text-model.ts';
export { problemType, readDescription, tokenizerAdvice } from './read-description.ts';
export { type FolderSigns, taskOfConfig } from './task-of.ts';
export type * from './text-model.ts';
export type { TextTokenizer, Tokenizers } from './tokenizer/index.ts';
