/** @module The generate extension for models that generate text, with the names of parameters that Triton's text models have. */

import { z } from '@hono/zod-openapi';
import {
  checkSchema,
  type GenerateTextContext,
  generateText,
  invalidArgument,
  listOf,
  MAX_BEAMS,
  MAX_STOP_CHARACTERS,
  MAX_STOPS,
  type ModelVersion,
  type Outcome,
  type Prepared,
  type RequestedGeneration,
} from '../../runtime/index.ts';
import type { EncodedResponse } from '../http/edge.ts';
import { toEvent } from '../http/event-stream.ts';
import { withoutMembers } from '../http/without-members.ts';
import { about, type GenerateInput } from './generate-request.ts';

const TEXT_EXAMPLE = '{"text_input": "Once upon a time", "parameters": {"max_tokens": 32}}';

const stopSchema = z.string().min(1).max(MAX_STOP_CHARACTERS);

/** The options of a generation. */
export const textParameters = z.strictObject({
  max_tokens: z.int().min(1).optional().openapi({ description: 'Most new tokens.', example: 32 }),
  min_tokens: z.int().min(0).optional().openapi({ description: 'Least new tokens.' }),
  temperature: z.number().min(0).max(100).optional().openapi({
    description: 'Above 0 tokens are drawn at random; 0 takes the most likely one.',
  }),
  top_p: z.number().gt(0).max(1).optional(),
  top_k: z.int().min(0).optional(),
  seed: z.int().min(0).optional().openapi({ description: 'Equal seeds give equal texts.' }),
  stop: z
    .union([stopSchema, listOf(stopSchema, MAX_STOPS)])
    .optional()
    .openapi({ description: 'Texts that end the generation, and are not part of it.' }),
  num_beams: z.int().min(1).max(MAX_BEAMS).optional(),
  length_penalty: z.number().min(-10).max(10).optional(),
  repetition_penalty: z.number().gt(0).max(100).optional(),
  no_repeat_ngram_size: z.int().min(0).max(100).optional(),
});

const requestSchema = z.strictObject({
  id: z.string().optional(),
  text_input: z.string(),
  parameters: textParameters.optional(),
  // Triton's text models have it; here the route decides.
  stream: z.boolean().optional(),
});

/** @param others Members that a body may have beside its own, which hold keys of sticky splits. */
export async function prepareText(
  input: GenerateInput,
  version: ModelVersion,
  others: ReadonlySet<string>,
): Promise<Prepared<{ readonly text: GenerateTextContext }>> {
  const { fields, signal, events } = input;
  const checked = checkSchema(requestSchema, withoutMembers(fields, others, requestSchema.shape));
  if ('fault' in checked) {
    throw invalidArgument(`${checked.fault}; the model takes a body such as ${TEXT_EXAMPLE}.`);
  }
  const { text_input: text, parameters = {}, stream } = checked.data;
  if (stream !== undefined && stream !== (events !== undefined)) {
    throw invalidArgument(
      '"stream" contradicts the route; send the request to generate_stream for a stream, and to generate for one response.',
    );
  }
  if (!text.isWellFormed()) {
    throw invalidArgument('text_input has a lone surrogate; send well-formed Unicode.');
  }
  const onText =
    events && ((delta: string) => events.send({ ...about(input, version), text_output: delta }));
  const options = toOptions(parameters);
  const prepared = await generateText.prepare(version.text!, { text, options, onText }, signal);
  const { runs, outputs, onTokens, context } = prepared;
  return { runs, outputs, onTokens, context: { text: context } };
}

function toOptions({
  max_tokens,
  min_tokens,
  stop,
  ...rest
}: z.infer<typeof textParameters>): RequestedGeneration {
  const stops = typeof stop === 'string' ? [stop] : stop;
  return { ...rest, max_new_tokens: max_tokens, min_new_tokens: min_tokens, stop: stops };
}

export async function respondText(
  { version, results, context }: Outcome<GenerateTextContext>,
  input: GenerateInput,
): Promise<EncodedResponse> {
  const { text } = await generateText.answer(version.text!, results, context);
  const { events } = input;
  if (events?.opened === true) return { body: '' };
  const content = { ...about(input, version), text_output: text };
  return { body: events === undefined ? JSON.stringify(content) : toEvent(content) };
}
