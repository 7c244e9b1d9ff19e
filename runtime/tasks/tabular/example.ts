/** @module The row in `example` of `model.json`, which shows how a model is asked. */

import type { Signature } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import type { LayOut } from './table.ts';

/** The values of one row by input. */
export type Example = Readonly<Record<string, readonly unknown[]>>;

/** The keys of `model.json` about the example. */
interface ExampleConfig {
  readonly features?: readonly string[] | undefined;
  readonly example?: readonly unknown[] | undefined;
}

/**
 * The row that `model.json` shows; undefined if it shows none. Of a model of several inputs it has one value for each, which
 * may be a list, in the order of `features`, else in that of the inputs.
 *
 * @throws {ServeError} `INVALID_CONFIG` with the reason for a row that the model does not take.
 */
export function readExample(
  { inputs }: Signature,
  { features, example }: ExampleConfig,
  layOut: LayOut,
): Example | undefined {
  if (example === undefined) return undefined;
  const names = inputs.map(({ name }) => name);
  if (names.length === 1) {
    check(layOut, example);
    return { [names[0]!]: example };
  }
  const order = features ?? names;
  if (example.length !== order.length) {
    throw wrong(`it has ${example.length} values, expected ${order.length}, one for each input`);
  }
  const columns = order.map((name, i) => [name, example[i]] as const);
  check(layOut, Object.fromEntries(columns));
  return Object.fromEntries(columns.map(([name, value]) => [name, [value].flat()]));
}

function check(layOut: LayOut, row: Parameters<LayOut>[0]): void {
  try {
    layOut(row);
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    throw wrong(error.message.replace(/\.$/, ''));
  }
}

const wrong = (reason: string) =>
  new ServeError('INVALID_CONFIG', `"example" in model.json is wrong: ${reason}.`);
