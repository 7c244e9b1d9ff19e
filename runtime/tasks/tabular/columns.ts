/** @module Rows of features by name: `{"age": 41, "city": "Rome"}`. */

import { quote, type Tensor, type Tensors } from '../../../native/index.ts';
import { createTensor, describeValue } from '../../elements.ts';
import { invalidArgument, type ServeError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { type FeatureInput, wrongValue } from './features.ts';

/** Maximum names that a message lists. */
const MAX_NAMES = 20;

/** A row: the values by their names. */
export type NamedRow = Readonly<Record<string, unknown>>;

/**
 * As parsed from JSON and not checked yet: one row, as a list of its values or as an object of them by name,
 * or a list of such rows.
 */
export type Features = readonly unknown[] | NamedRow;

export const isNamedRow = (value: unknown): value is NamedRow =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws {ServeError} `INVALID_ARGUMENT` if a list of named rows has another value in it. */
export function asNamedRows(rows: readonly unknown[]): readonly NamedRow[] {
  return rows.map((row, r) => {
    if (isNamedRow(row)) return row;
    throw invalidArgument(
      `features[${r}] must be an object like the rows before it, got ${describeValue(row)}.`,
    );
  });
}

/**
 * A row as the list of its values.
 *
 * @param names The names that the row must have, in the order of the list.
 * @throws {ServeError} `INVALID_ARGUMENT` for a name that is unknown or missing.
 */
export function toList(names: readonly string[], row: NamedRow, path: string): unknown[] {
  for (const name of Object.keys(row)) {
    if (!names.includes(name)) throw unknownName(names, name, path);
  }
  return names.map((name) => {
    if (Object.hasOwn(row, name)) return row[name];
    throw invalidArgument(`${path} has no '${name}'; its names are ${listed(names)}.`);
  });
}

/**
 * The tensors of one run, one for each column.
 *
 * @param rows The values of each row, in the order of the inputs.
 * @param pathOf The path of a row in the request.
 * @throws {ServeError} `INVALID_ARGUMENT`, with the path of the first value that does not fit.
 */
export function columnTensors(
  inputs: readonly FeatureInput[],
  rows: readonly (readonly unknown[])[],
  pathOf: (row: number) => string,
): Tensors {
  const tensors: Record<string, Tensor> = Object.create(null);
  for (const [column, input] of inputs.entries()) {
    const { width, rowDims, codec, name } = input;
    const data = codec.allocate(rows.length * width);
    for (const [r, row] of rows.entries()) {
      const value = row[column];
      const path = `${pathOf(r)}.${name}`;
      const values: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (values.length !== width) {
        throw invalidArgument(`${path} must be a list of ${width} values, got ${values.length}.`);
      }
      for (const [i, each] of values.entries()) {
        const element = codec.encode(each);
        if (element === undefined) {
          throw wrongValue(input, each, Array.isArray(value) ? `${path}[${i}]` : path);
        }
        data[r * width + i] = element;
      }
    }
    tensors[name] = createTensor(input.type, [rows.length, ...rowDims], data);
  }
  return tensors;
}

function unknownName(names: readonly string[], name: string, path: string): ServeError {
  const near = nearest(name, names);
  const hint = near === undefined ? '' : `, did you mean '${near}'`;
  return invalidArgument(
    `${path} has the unknown name ${quote(name)}${hint}; its names are ${listed(names)}.`,
  );
}

function listed(names: readonly string[]): string {
  const rest = names.length - MAX_NAMES;
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}
