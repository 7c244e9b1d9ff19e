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
  top_p: z.number().gt(0).max(1).optional().openapi({
    description: 'Tokens are drawn from the likeliest whose probabilities have this sum.',
  }),
  top_k: z.int().min(0).optional().openapi({
    description: 'Tokens are drawn from so many of the likeliest; 0 means all.',
  }),
  seed: z.int().min(0).optional().openapi({ description: 'Equal seeds give equal texts.' }),
  stop: z
    .union([
      stopSchema,
      listOf(stopSchema, MAX_STOPS).openapi({
        ...{ type: 'array', items: { type: 'string' }, maxItems: MAX_STOPS },
      }),
    ])
    .optional()
    .openapi({ description: 'Texts that end the generation, and are not part of it.' }),
  num_beams: z.int().min(1).max(MAX_BEAMS).optional().openapi({
    description:
      'Sequences that are searched at a time. A stream has one, whatever the model says.',
  }),
  length_penalty: z.number().min(-10).max(10).optional().openapi({
    description: 'With beams: above 0 prefers long texts, below 0 short ones.',
  }),
  repetition_penalty: z.number().gt(0).max(100).optional().openapi({
    description: 'Above 1 makes tokens that occurred before less likely.',
  }),
  no_repeat_ngram_size: z.int().min(0).max(100).optional().openapi({
    description: 'No sequence of so many tokens occurs twice; 0 allows all.',
  }),
});

const stream = z.boolean().optional().openapi({
  description: 'Clients of Triton send it; it must fit the route: true for `generate_stream`.',
});

/** A request to a model that generates text. */
export const textRequest = z
  .strictObject({
    id: z.string().optional().openapi({ description: 'The response repeats it.' }),
    text_input: z.string().openapi({
      description: 'The prompt, or the text that an encoder–decoder model reads.',
      example: 'Once upon a time',
    }),
    parameters: textParameters
      .extend({ stream })
      .optional()
      .openapi({ description: 'The options of the generation, which may also stand beside it.' }),
    ...textParameters.shape,
    stream,
  })
  .openapi('GenerateTextRequest', { description: 'For a model that generates text.' });

/** What is known when the text is complete. */
const textEnd = {
  finish_reason: z.enum(['stop', 'length']).openapi({
    description: '`length`: the text ends because it has as many tokens as the request allows.',
  }),
  num_input_tokens: z.int().openapi({ description: 'Tokens of the prompt.', example: 5 }),
  num_output_tokens: z.int().openapi({ description: 'Tokens that were generated.', example: 32 }),
};

const textPiece = z.object({
  id: z.string().optional(),
  model_name: z.string(),
  model_version: z.string(),
  text_output: z.string().openapi({ description: 'The text without the prompt.' }),
});

/** The response of a model that generates text. */
export const textResponse = textPiece.extend(textEnd).openapi('GeneratedText');

/** An event of such a response. */
export const textEvent = textPiece
  .extend(z.object(textEnd).partial().shape)
  .openapi('GeneratedTextEvent', {
    description: 'The next piece of the text; only the last event says why the text ends.',
  });

/** @param others Members that a body may have beside its own, which hold keys of sticky splits. */
export async function prepareText(
  input: GenerateInput,
  version: ModelVersion,
  others: ReadonlySet<string>,
): Promise<Prepared<{ readonly text: GenerateTextContext }>> {
  const { fields, events } = input;
  const { signal } = input.sender;
  const checked = checkSchema(
    textRequest,
    withoutMembers(fields, others, textRequest.shape),
    'The body',
  );
  if ('fault' in checked) {
    throw invalidArgument(`${checked.fault}; the model takes a body such as ${TEXT_EXAMPLE}.`);
  }
  const { id: _, text_input: text, stream, ...parameters } = merged(checked.data);
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

/**
 * The members of a request with those of `parameters` among them.
 *
 * @throws {ServeError} `INVALID_ARGUMENT` for an option that stands in both places
 */
function merged({ parameters = {}, ...members }: z.infer<typeof textRequest>) {
  const twice = Object.keys(parameters).find((name) => name in members);
  if (twice === undefined) return { ...members, ...parameters };
  throw invalidArgument(`${twice} stands in the body and in parameters; send it once.`);
}

function toOptions({
  max_tokens,
  min_tokens,
  stop,
  ...rest
}: z.infer<typeof textParameters>): RequestedGeneration {
  const stops = typeof stop === 'string' ? [stop] : stop;
  return {
    ...rest,
    max_new_tokens: max_tokens,
    min_new_tokens: min_tokens,
    stop: stops,
    called: { max_new_tokens: 'max_tokens', min_new_tokens: 'min_tokens' },
  };
}

/** The last event of a stream has the text only if no event before it has. */
export async function respondText(
  { version, results, context }: Outcome<GenerateTextContext>,
  input: GenerateInput,
): Promise<EncodedResponse> {
  const { text, finishReason, tokens, usage } = await generateText.answer(
    version.text!,
    results,
    context,
  );
  const { events } = input;
  const content = {
    ...about(input, version),
    text_output: events?.opened === true ? '' : text,
    finish_reason: finishReason,
    num_input_tokens: usage.tokens,
    num_output_tokens: tokens,
  };
  return { body: events === undefined ? JSON.stringify(content) : toEvent(content) };
}
