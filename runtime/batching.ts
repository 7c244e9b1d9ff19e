/** @module The key `batching` of `model.json`, and its conversion to options of the engine. */

import { z } from 'zod';
import type { AxisOptions, BatchingOptions } from '../native/index.ts';
import { omitUndefined } from './omit-undefined.ts';

const size = z.int().min(1);
const padValue = z.union([z.number(), z.boolean(), z.string()]);

const axisSchema = z.strictObject({
  buckets: z.array(size).min(1).describe('Lengths that are run; longer requests are refused'),
  pad: z
    .union([padValue, z.record(z.string(), padValue)])
    .optional()
    .describe('What inputs are padded with: one value, or one for each by name'),
  mask: z.string().optional().describe('The input that is 1 where the request is, 0 where padded'),
  dimensions: z
    .array(z.string())
    .optional()
    .describe('Dimensions of this length that have another name in the file, such as "logits:1"'),
});

export const batchingSchema = z
  .union([
    z.literal(false),
    z.strictObject({
      maxRows: size.optional(),
      policy: z.enum(['excess', 'busy', 'timer']).optional().describe('When a batch runs'),
      maxDelayMs: z.number().min(0).optional(),
      maxQueue: size.optional(),
      maxQueueByPriority: z
        .array(z.int().min(0))
        .optional()
        .describe(
          'Maximum queued requests of each priority level, most urgent first; 0 means no limit',
        ),
      maxRequestRows: size.optional().describe('Most rows of one request'),
      axes: z
        .record(z.string(), axisSchema)
        .optional()
        .describe('Lengths that change from request to request, by their name in the file'),
      maxElements: size.optional().describe('Most elements of a batch, padding included'),
      rowBuckets: z.array(size).min(1).optional().describe('The only batch sizes that are run'),
    }),
  ])
  .describe('How requests are batched; false never batches them');

type Batching = z.infer<typeof batchingSchema>;

/** The engine's options; the names are the same. */
export function batchingOptions(batching: Batching): BatchingOptions | false {
  if (batching === false) return false;
  const { axes, ...terms } = batching;
  const declared = Object.entries(axes ?? {}).map(([name, axis]) => [name, omitUndefined(axis)]);
  return omitUndefined({
    ...terms,
    axes: axes && (Object.fromEntries(declared) as Record<string, AxisOptions>),
  });
}
