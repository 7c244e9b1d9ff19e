/** @module Converts a request's rows of features, in any of their forms, to the runs of a model. */

import type { Signature, Tensors } from '../../../native/index.ts';
import { ServeError } from '../../errors.ts';
import {
  asNamedRows,
  columnTensors,
  type Features,
  isNamedRow,
  type NamedRow,
  toList,
} from './columns.ts';
import {
  type FeatureInput,
  featureInput,
  featureTensors,
  limitRuns,
  unsuitable,
} from './features.ts';
import { takesManyRows } from './rows.ts';

/** The keys of `model.json` about the inputs. */
export interface TableConfig {
  readonly input?: string | undefined;
  readonly features?: readonly string[] | undefined;
  readonly missing?: 'nan' | undefined;
}

/** Runs of a model, with the number of rows of each. */
export interface TableRuns {
  readonly runs: readonly Tensors[];
  readonly rows: number;
}

/** Checks a request's features and lays them out. @throws {ServeError} `INVALID_ARGUMENT` */
export type LayOut = (features: Features) => TableRuns;

/**
 * A model of one input takes rows as lists of values, and by name: the names of `features`, or the input's
 * own. A model of several inputs, each of them a column, takes rows by the names of the inputs.
 *
 * @throws {ServeError} `INVALID_CONFIG` with a reason for a model whose inputs are not a table of features.
 */
export function featureTable(signature: Signature, config: TableConfig): LayOut {
  // This is evaluated for each request, because the engine may find out that rows of a model are not independent.
  const together = () => takesManyRows(signature);
  const inputs = tableInputs(signature, config);
  const ofNames = namedRows(inputs, together);
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) {
    return (features) => {
      if (isNamed(features)) return ofNames(features);
      throw new ServeError('INVALID_ARGUMENT', wantsNames(inputs));
    };
  }
  const { name } = input;
  const ofLists = (features: readonly unknown[]): TableRuns => {
    const tensors = featureTensors(input, features, Array.isArray(features[0]) && together());
    const runs = tensors.map((tensor) => ({ [name]: tensor }));
    return { runs, rows: tensors[0]!.dims[0]! };
  };
  return (features) => {
    if (!isNamed(features)) return ofLists(features as readonly unknown[]);
    return input.features.length === 0 ? ofNames(features) : ofLists(inOrder(input, features));
  };
}

function tableInputs(signature: Signature, config: TableConfig): readonly FeatureInput[] {
  const { input: wanted, missing } = config;
  const { inputs } = signature;
  const features = namesOfValues(signature, config);
  const quoted = inputs.map(({ name }) => `'${name}'`).join(', ');
  if (inputs.length === 0) throw unsuitable('it has no input');
  if (wanted !== undefined && !inputs.some(({ name }) => name === wanted)) {
    const forImages = wanted === 'image' ? '; "input": "image" needs a "task" of images' : '';
    throw unsuitable(`it has no input '${wanted}', only ${quoted}${forImages}`);
  }
  if (inputs.length > 1 && (wanted !== undefined || features.length > 0)) {
    const expected = '"input" and "features" need one input, or "features" the names of all inputs';
    throw unsuitable(`${expected}; it has ${quoted}`);
  }
  const table = inputs.map((spec) => featureInput(spec, features, missing === 'nan'));
  if (table.length === 1 || table.every(({ width }) => width !== -1)) return table;
  throw unsuitable(
    `its inputs ${quoted} are no columns, because they leave the shape of a row open`,
  );
}

/** The names of the values of a row; none where "features" are the names of several inputs, which are known. */
function namesOfValues({ inputs }: Signature, { features = [] }: TableConfig): readonly string[] {
  const areInputs =
    inputs.length > 1 &&
    inputs.length === features.length &&
    inputs.every(({ name }) => features.includes(name));
  return areInputs ? [] : features;
}

const isNamed = (features: Features): boolean =>
  Array.isArray(features) ? isNamedRow(features[0]) : true;

/** Rows by the names in "features", as lists. */
function inOrder({ features: names }: FeatureInput, features: Features): readonly unknown[] {
  return Array.isArray(features)
    ? asNamedRows(features).map((row, r) => toList(names, row, pathOf(r)))
    : toList(names, features as NamedRow, 'features');
}

function namedRows(inputs: readonly FeatureInput[], together: () => boolean): LayOut {
  const names = inputs.map(({ name }) => name);
  return (features) => {
    if (inputs.some(({ width }) => width === -1)) {
      throw new ServeError(
        'INVALID_ARGUMENT',
        'features must be a list of values or a list of such lists: the model has no names for them.',
      );
    }
    if (!Array.isArray(features)) {
      const row = toList(names, features as NamedRow, 'features');
      return { runs: [columnTensors(inputs, [row], () => 'features')], rows: 1 };
    }
    const rows = asNamedRows(features).map((row, r) => toList(names, row, pathOf(r)));
    if (together()) return { runs: [columnTensors(inputs, rows, pathOf)], rows: rows.length };
    limitRuns(rows.length);
    return { runs: rows.map((row, r) => columnTensors(inputs, [row], () => pathOf(r))), rows: 1 };
  };
}

const pathOf = (row: number): string => `features[${row}]`;

function wantsNames(inputs: readonly FeatureInput[]): string {
  const example = inputs.map(({ name }) => `${JSON.stringify(name)}: …`).join(', ');
  return `The model does not take rows of features as lists, which need one input; send them by name: {"features": {${example}}}.`;
}
