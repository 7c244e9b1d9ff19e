/** @module The options of requests about images, which come as form fields, members of JSON, or in the query. */

import { z } from '@hono/zod-openapi';
import { checkSchema, invalidArgument } from '../../runtime/index.ts';
import { withoutMembers } from '../http/without-members.ts';
import type { Texts, VisionBody } from './intake/index.ts';

/** Options of every route. */
export const commonOptions = {
  model: z.string().optional().openapi({
    description: 'Name of the model. Default: the default model of the task.',
  }),
  model_version: z.string().optional().openapi({
    description: 'A version, or a label such as `stable`. Default: the traffic split decides.',
    example: 'v1.0',
  }),
  background: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/, 'a colour such as #ffffff')
    .optional()
    .openapi({
      description:
        'The colour over which transparent images are laid. Default: `#ffffff`. In a URL it begins with `%23`, because `#` ends the query.',
      example: '#ffffff',
    }),
  tolerant: z.boolean().optional().openapi({
    description:
      'Whether an image with a damaged end is read as far as it goes. By default it is refused.',
  }),
};

/** The confidence that results must have. */
export const threshold = (description: string) =>
  z.number().min(0).max(1).optional().openapi({ description });

/** Options that choose among boxes. */
export const boxOptions = {
  iou: z.number().min(0).max(1).optional().openapi({
    description:
      'The overlap above which of two boxes only the better one stays, for models that do not choose themselves. Default: 0.45.',
  }),
  max_detections: z.int().min(1).max(3000).optional().openapi({
    description: 'Most results of an image, the best first. Default: 300.',
  }),
  agnostic: z.boolean().optional().openapi({
    description: 'Whether boxes of different classes suppress each other. Default: false.',
  }),
  nms: z.enum(['hard', 'soft']).optional().openapi({
    description:
      'Whether a box that overlaps a better one is left out (`hard`, the default) or gets a lower confidence (`soft`).',
  }),
};

/** The options of a route. */
export type OptionsSchema<Shape extends z.ZodRawShape> = z.ZodObject<Shape, z.core.$strict>;

/**
 * Checks the options of a request.
 *
 * @param others Members that a body may have besides, which hold keys of sticky splits.
 * @throws {ServeError} `INVALID_ARGUMENT` with the first mistake.
 */
export function readOptions<Shape extends z.ZodRawShape>(
  schema: OptionsSchema<Shape>,
  { texts, members }: Pick<VisionBody, 'texts' | 'members'>,
  others: ReadonlySet<string>,
): z.output<OptionsSchema<Shape>> {
  const { shape } = schema;
  const own = withoutMembers({ ...valuesOf(schema, texts), ...members }, others, shape);
  const checked = checkSchema(schema, own, 'The request');
  if ('data' in checked) return checked.data;
  throw invalidArgument(`${checked.fault}.`, checked.member);
}

/** The values that texts of a form or a query stand for, as JSON has them. Texts that stand for none stay, and are refused. */
export function valuesOf<Shape extends z.ZodRawShape>(
  { shape }: OptionsSchema<Shape>,
  texts: Texts,
): Readonly<Record<string, unknown>> {
  const values = Object.entries(texts).map(([name, text]) => [
    name,
    Object.hasOwn(shape, name) ? fromText(shape[name] as z.ZodType, text) : text,
  ]);
  return Object.fromEntries(values);
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  1: true,
  false: false,
  0: false,
};

/** A number of JSON. `Number` takes other forms, too, such as 0x10. */
const NUMBER = /^\s*-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?\s*$/i;

function fromText(schema: z.ZodType, text: string | readonly string[]): unknown {
  const own = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
  if (own instanceof z.ZodArray) return namesOf(text);
  if (typeof text !== 'string') return text;
  if (own instanceof z.ZodNumber) return NUMBER.test(text) ? Number(text) : text;
  return own instanceof z.ZodBoolean ? (BOOLEANS[text] ?? text) : text;
}

/** Names that are separated by commas, also in several texts. Empty ones do not count beside others. */
function namesOf(text: string | readonly string[]): readonly string[] {
  const all = [text].flat().flatMap((each) => each.split(',').map((name) => name.trim()));
  const names = all.filter((name) => name !== '');
  return names.length === 0 ? all : names;
}
