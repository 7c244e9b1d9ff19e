/** @module Helpers that define the groups of settings. */

import { z } from 'zod';

/** Texts about a setting: the end of "NAME must be …", the text of the help, and an example value. */
interface About {
  readonly description: string;
  readonly example: string;
  /** Whether the value must not be shown. */
  readonly isSecret?: boolean;
}

/** A setting: the schema of its value, which arrives as text, in `millrace.json` also as a number or boolean. */
export const setting = <Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  example: string,
): Schema => schema.meta({ description, example } satisfies About);

/** The same for a setting whose value must not be shown. */
export const secret = <Schema extends z.ZodType>(
  schema: Schema,
  description: string,
  example: string,
): Schema => schema.meta({ description, example, isSecret: true } satisfies About);

/** The texts that were passed to `setting`, also for a schema that is optional or has a default. */
export const aboutSetting = (schema: z.ZodType): About => schema.meta() as unknown as About;

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number) {
  const message = `a whole number from ${min} to ${max}`;
  return z.coerce.number(message).int(message).min(min, message).max(max, message);
}

export const text = z.string('a string').min(1, 'a string that is not empty');

export const flag = z
  .union([z.boolean(), z.string().toLowerCase()], 'true or false')
  .transform((given) => (typeof given === 'boolean' ? given : { true: true, false: false }[given]))
  .pipe(z.boolean('true or false'));
