/** @module The names of models, versions and labels. */

import { quote } from '../../native/index.ts';
import { invalidArgument } from '../errors.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const LABEL = /^[a-z][a-z0-9-]{0,62}$/;

/** Labels that requests, routes and metrics give a meaning to, so that no version may have these names. */
const RESERVED: readonly string[] = ['stable', 'canary', 'shadow'];

/** Whether a model or a version of this name can be registered. Others cannot be in the database. */
export const isName = (name: string): boolean => NAME.test(name);

/** @throws {ServeError} `INVALID_ARGUMENT` unless a model of that name can be registered */
export function checkModelName(name: string): void {
  if (!isName(name)) throw invalidArgument(`The name of a model is ${form(name)}.`);
}

/** @throws {ServeError} `INVALID_ARGUMENT` unless a version of that name can be registered */
export function checkVersionName(version: string): void {
  if (!isName(version)) throw invalidArgument(`version is ${form(version)}.`);
  if (RESERVED.includes(version)) {
    throw invalidArgument(
      `A version cannot be named '${version}', because that is the name of a label; write for example v1.0.`,
    );
  }
}

const form = (given: string) =>
  `1 to 128 letters, digits, dots, hyphens and underscores, of which the first is a letter or digit, but it is ${quote(given)}`;

/** Whether there can be a label of this name. */
export const isLabelName = (label: string): boolean => LABEL.test(label);

/** @throws {ServeError} `INVALID_ARGUMENT` */
export function checkLabelName(label: string): void {
  if (isLabelName(label)) return;
  throw invalidArgument(
    `A label is a lower-case letter and up to 62 lower-case letters, digits and hyphens, but it is ${quote(label)}.`,
  );
}
