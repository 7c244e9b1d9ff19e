/** @module Checks values of configuration files, and describes what is wrong with them in words. */

import { z } from 'zod';
import { quote } from '../native/index.ts';
import { nearest } from './nearest.ts';

type Issue = z.core.$ZodIssue;

/** Maximum characters of a value in a message. */
const MAX_VALUE = 40;

/** What a value must be, by the names that zod has for types. */
const TYPES: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a string',
};

/** The first mistake of a value. */
export interface Mistake {
  /** As a clause, such as `batching.maxRows must be a number but is "4"`. */
  readonly fault: string;
  /** The member of the value that has the mistake; undefined if it is the value itself. */
  readonly member?: string;
}

/**
 * Checks a value that was parsed from JSON.
 *
 * @param subject What a message calls the value itself.
 * @returns The value in `data`, or the first mistake.
 */
export function checkSchema<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  subject = 'it',
): { readonly data: z.output<Schema> } | Mistake {
  const parsed = schema.safeParse(value, { error: describe, reportInput: true });
  return parsed.success ? { data: parsed.data } : mistakeOf(parsed.error.issues[0]!, subject);
}

/** A schema of a list whose length is checked before its elements, because those of a long list take hundreds of milliseconds. */
export const listOf = <Element extends z.ZodType>(element: Element, most: number, least = 0) =>
  z
    .custom<readonly unknown[]>((value) => !Array.isArray(value) || value.length <= most, {
      error: `a list whose length is at most ${most}`,
    })
    .pipe(z.array(element).min(least));

/** Completes "… must be", or for an unknown key "… has". */
const describe: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return (issue.expected === 'number' && outOfRange(issue.input)) || TYPES[issue.expected];
    case 'invalid_value':
      return `${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((each) => JSON.stringify(each)).join(', ')}`;
    case 'too_small':
      return bound(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum);
    case 'too_big':
      return bound(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum);
    case 'unrecognized_keys':
      return unknownKey(issue.keys[0]!, issue.inst);
    default:
      return undefined;
  }
};

/** What a value must be that is a number, but not one that can be computed with; undefined if it is no number. */
function outOfRange(value: unknown): string | undefined {
  if (typeof value === 'bigint') return 'a number that is less than 2^53';
  return typeof value === 'number' ? 'a finite number' : undefined;
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'array') return `a list whose length is ${relation} ${limit}`;
  return origin === 'string'
    ? `a string whose length is ${relation} ${limit}`
    : `${relation} ${limit}`;
}

function unknownKey(key: string, schema: unknown): string {
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const meant = nearest(key, known);
  const hint = meant === undefined ? `its keys are ${known.join(', ')}` : `write '${meant}'`;
  return `the unknown key ${quote(key)}; ${hint}`;
}

function mistakeOf(issue: Issue, whole: string): Mistake {
  const found = narrowest(issue);
  const { path, message, input } = found;
  const subject = path.length === 0 ? whole : pathText(path);
  const isUnknown = found.code === 'unrecognized_keys';
  const first = path[0] ?? (isUnknown ? found.keys[0] : undefined);
  const fault = isUnknown
    ? `${subject} has ${message}`
    : `${subject} must be ${message} but is ${written(input)}`;
  return typeof first === 'string' ? { fault, member: first } : { fault };
}

/** A value as a message shows it: as it is written in JSON, but not all of a long one. */
function written(value: unknown): string {
  if (value === undefined) return 'missing';
  // JSON has numbers that overflow, and integers that only a bigint holds; neither can be written as JSON again.
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  // All of a long list would take a tenth of a second.
  const first = Array.isArray(value) ? value.slice(0, MAX_VALUE) : value;
  const text = isNumber ? String(value) : JSON.stringify(first, withoutBigints);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

const withoutBigints = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? Number(value) : value;

/** The path of a value, such as `labels[0]` or `batching.maxRows`. */
const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');

/** If a value may have one of several forms: the mistake in the form that it comes closest to, or all forms. */
function narrowest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const forms = issue.errors.flatMap(([first]) => (first === undefined ? [] : [narrowest(first)]));
  const inside = forms.find(({ path, code }) => path.length > 0 || code === 'unrecognized_keys');
  if (inside !== undefined) return { ...inside, path: [...issue.path, ...inside.path] };
  const wanted = forms.map(({ message }) => message).join(' or ');
  return { ...issue, message: wanted };
}
