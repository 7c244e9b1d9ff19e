/** @module The options of requests for boxes and masks. */

import type { BoxOptions } from '../../../native/index.ts';
import { shorten } from '../../../native/index.ts';
import { invalidArgument } from '../../errors.ts';
import type { ImageModel } from '../../image/image-model.ts';
import { nearNames } from '../../nearest.ts';

/** What a request leaves out is as `model.json` has it, and else the default. */
export interface BoxRequest {
  /** Boxes are left out unless their confidence is above it, 0 to 1. */
  readonly threshold?: number | undefined;
  /** Overlap above which of two boxes only the better one stays, 0 to 1. Default: 0.45. */
  readonly iou?: number | undefined;
  /** Default: 300. */
  readonly maxDetections?: number | undefined;
  /** Names of the classes that are wanted, or their numbers. Default: all. */
  readonly classes?: readonly string[] | undefined;
  /** Whether boxes of different classes suppress each other. Default: false. */
  readonly agnostic?: boolean | undefined;
  /** Default: `hard`. */
  readonly nms?: BoxOptions['nms'] | undefined;
}

const IOU = 0.45;
const MAX_DETECTIONS = 300;
/** Classes that a message lists. */
const MOST_NAMES = 5;

/**
 * @param threshold That of requests and models that set none.
 * @throws {ServeError} `INVALID_ARGUMENT` for a class that the model does not have.
 */
export function boxOptionsOf(
  { defaults, labels }: ImageModel,
  request: BoxRequest,
  threshold: number,
): BoxOptions {
  return {
    threshold: request.threshold ?? defaults.threshold ?? threshold,
    iou: request.iou ?? defaults.iou ?? IOU,
    maxDetections: request.maxDetections ?? defaults.maxDetections ?? MAX_DETECTIONS,
    classes: request.classes && Int32Array.from(request.classes, (name) => classOf(labels, name)),
    agnostic: request.agnostic ?? false,
    nms: request.nms ?? 'hard',
  };
}

/** The name of a class, which is its number if the model has no name for it. */
export const className = (labels: readonly string[], index: number): string =>
  labels[index] ?? String(index);

function classOf(labels: readonly string[], name: string): number {
  const index = labels.indexOf(name);
  if (index !== -1) return index;
  // Without a name of any class, it is not known how many there are.
  const classes = labels.length || Number.POSITIVE_INFINITY;
  if (/^\d{1,6}$/.test(name) && Number(name) < classes) return Number(name);
  const known =
    labels.length === 0
      ? 'its classes have no names, but numbers from 0'
      : `its classes are ${listOf(labels)}`;
  const near = nearNames(name, labels, MOST_NAMES);
  const meant = near.length === 0 ? known : `near ones are ${listOf(near)}`;
  throw invalidArgument(
    `classes has ${JSON.stringify(shorten(name))}, which the model does not have; ${meant}.`,
    'classes',
  );
}

function listOf(names: readonly string[]): string {
  const some = names.slice(0, MOST_NAMES).map((name) => shorten(name));
  const rest = names.length - some.length;
  return rest === 0 ? some.join(', ') : `${some.join(', ')} and ${rest} more`;
}
