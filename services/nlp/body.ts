/** @module Checks bodies of requests about texts, and reads what such bodies have in common. */

import { z } from '@hono/zod-openapi';
import {
  checkSchema,
  describeValue,
  invalidArgument,
  isObject,
  type TextInput,
} from '../../runtime/index.ts';
import { withoutMembers } from '../http/without-members.ts';

/** Most texts, documents or pairs of a request. */
export const MOST_TEXTS = 1000;

/** The members that choose the model. */
export const modelFields = {
  model: z.string().optional().openapi({
    description: 'Name of the model. Default: the default model of the task.',
  }),
  model_version: z.string().optional().openapi({
    description: 'A version, or a label such as `stable`. Default: the traffic split decides.',
    example: 'v1.0',
  }),
};

/** The members that say what becomes of long texts. */
export const windowFields = {
  truncate: z.boolean().optional().openapi({
    description:
      'Whether what does not fit into the window of the model is left out, and counted in `usage.truncated`. By default a long text is read in several windows, whose results are merged.',
  }),
  stride: z.int().min(0).max(1_000_000).optional().openapi({
    description: 'Tokens that neighbouring windows share, at most half a window. Default: 128.',
  }),
};

/** A list whose elements are checked by `readStrings`, which is quicker at refusing a long one than a schema. */
export const stringList = (most: number, description: string, example: readonly string[]) =>
  z.custom<readonly unknown[]>(Array.isArray, { error: 'a list of strings' }).openapi({
    type: 'array',
    items: { type: 'string' },
    minItems: 1,
    maxItems: most,
    description,
    example: [...example],
  });

/** The texts of a request: one, or a list. */
export const textFields = (example: readonly [string, string]) => ({
  text: z.string().optional().openapi({
    description: 'One text; the response is one object.',
    example: example[0],
  }),
  texts: stringList(
    MOST_TEXTS,
    'Instead of `text`: several; the response has `results` in the same order.',
    example,
  ).optional(),
});

/** A value that holds the members of `textFields`. */
interface TextMembers {
  readonly text?: string | undefined;
  readonly texts?: readonly unknown[] | undefined;
}

/** The texts of a request, and whether its response is a list. */
export interface Texts extends TextInput {
  readonly isList: boolean;
}

/**
 * Checks a body.
 *
 * @param others Members that a body may have besides, which hold keys of sticky splits.
 * @param example A body that is right, for the message.
 * @throws {ServeError} `INVALID_ARGUMENT` with the first mistake.
 */
export function checkBody<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape, z.core.$strict>,
  json: unknown,
  others: ReadonlySet<string>,
  example: object,
): z.output<typeof schema> {
  if (!isObject(json)) {
    throw invalidArgument(
      `The body is ${describeValue(json)}; it must be a JSON object such as ${JSON.stringify(example)}.`,
    );
  }
  const { shape } = schema;
  const result = checkSchema(schema, withoutMembers(json, others, shape), 'The body');
  if ('data' in result) return result.data;
  const { fault, member } = result;
  throw invalidArgument(`${fault}${otherMember(json, shape, member)}.`, member);
}

/** What to do if one text is sent as `texts`, or a list as `text`; otherwise nothing. */
function otherMember(
  json: Readonly<Record<string, unknown>>,
  shape: z.ZodRawShape,
  member: string | undefined,
): string {
  if (!('text' in shape && 'texts' in shape)) return '';
  if (member === 'texts' && typeof json.texts === 'string') return '; send one text as text';
  return member === 'text' && Array.isArray(json.text) ? '; send a list of texts as texts' : '';
}

/** @throws {ServeError} `INVALID_ARGUMENT` if there is not exactly one of `text` and `texts`, or a text is not a string. */
export function readTexts({ text, texts }: TextMembers): Texts {
  if (text !== undefined && texts !== undefined) {
    throw invalidArgument('The body has both text and texts; send one of them.', 'texts');
  }
  if (texts !== undefined) {
    return { ...listed(readStrings(texts, 'texts', MOST_TEXTS), 'texts'), isList: true };
  }
  if (text === undefined) {
    throw invalidArgument(
      `The body has no text; send one as text, or 1 to ${MOST_TEXTS} as the list texts.`,
      'text',
    );
  }
  return { texts: [text], placeOf: () => 'text', isList: false };
}

/** The texts of a list with their places. */
export const listed = (texts: readonly string[], name: string): TextInput => ({
  texts,
  placeOf: (index) => `${name}[${index}]`,
});

/**
 * The texts of a member that is one or a list. Other servers take ids of tokens there, too.
 *
 * @throws {ServeError} `INVALID_ARGUMENT` for ids, or an element that is not a string.
 */
export function readOneOrMore(input: string | readonly unknown[], name: string): TextInput {
  if (typeof input === 'string') return { texts: [input], placeOf: () => name };
  const [first] = input;
  if (typeof first === 'number' || Array.isArray(first)) {
    throw invalidArgument(
      `${name} has ids of tokens; send texts, because other tokenizers have other ids.`,
      name,
    );
  }
  return listed(readStrings(input, name, MOST_TEXTS), name);
}

/**
 * The strings of a list.
 *
 * @param name The name of the list, for messages.
 * @throws {ServeError} `INVALID_ARGUMENT` with the index of the first element that is not a string.
 */
export function readStrings(
  list: readonly unknown[],
  name: string,
  most: number,
): readonly string[] {
  if (list.length === 0 || list.length > most) {
    throw invalidArgument(`${name} has ${list.length} elements; send 1 to ${most} at once.`, name);
  }
  const at = list.findIndex((each) => typeof each !== 'string');
  if (at === -1) return list as readonly string[];
  throw invalidArgument(`${name}[${at}] must be a string but is ${describeValue(list[at])}.`, name);
}
