/** @module The options of requests about images, which come as form fields, members of JSON, or in the query. */

import { z } from '@hono/zod-openapi';
import { checkSchema, invalidArgument } from '../../runtime/index.ts';
import { withoutMembers } from '../http/without-members.ts';
import type { VisionBody } from './intake/vision-body.ts';

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
      description: 'The colour over which transparent images are laid. Default: `#ffffff`.',
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

type Schema<Shape extends z.ZodRawShape> = z.ZodObject<Shape, z.core.$strict>;

/**
 * Checks the options of a request. Forms and queries have strings, which become what the schema takes.
 *
 * @param others Members that a body may have besides, which hold keys of sticky splits.
 * @throws {ServeError} `INVALID_ARGUMENT` with the first mistake.
 */
export function readOptions<Shape extends z.ZodRawShape>(
  schema: Schema<Shape>,
  { options }: Pick<VisionBody, 'options'>,
  others: ReadonlySet<string>,
): z.output<Schema<Shape>> {
  const { shape } = schema;
  const given = Object.entries(options).map(([name, value]) => [
    name,
    Object.hasOwn(shape, name) ? fromText(shape[name] as z.ZodType, value) : value,
  ]);
  const own = withoutMembers(Object.fromEntries(given), others, shape);
  const checked = checkSchema(schema, own, 'The request');
  if ('data' in checked) return checked.data;
  throw invalidArgument(`${checked.fault}.`, checked.member);
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  1: true,
  false: false,
  0: false,
};

/** The value that a string stands for; strings that stand for none stay, so that the check of the schema refuses them. */
function fromText(schema: z.ZodType, value: unknown): unknown {
  const own = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
  if (own instanceof z.ZodArray) return toList(value);
  if (typeof value !== 'string') return value;
  if (own instanceof z.ZodNumber) {
    const number = Number(value);
    return value.trim() === '' || Number.isNaN(number) ? value : number;
  }
  return own instanceof z.ZodBoolean ? (BOOLEANS[value] ?? value) : value;
}

/** Names that are separated by commas, or a list of such. */
function toList(value: unknown): unknown {
  if (typeof value === 'string') return value.split(',').map((name) => name.trim());
  return Array.isArray(value)
    ? value.flatMap((each) => (typeof each === 'string' ? (toList(each) as string[]) : [each]))
    : value;
}
