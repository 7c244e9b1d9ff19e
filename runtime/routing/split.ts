/** @module The traffic split of a model: its route, compiled for the requests. */

import { ServeError } from '../errors.ts';
import type { ModelVersion } from '../model.ts';
import type { ServedModel } from '../served-model.ts';
import type { ArmName } from './observer.ts';
import { type Candidate, type Hash, hash64, rendezvous } from './rendezvous.ts';
import type { Shadow, TrafficRoute } from './route.ts';

/** Random numbers in [0, 1), for requests without a key. */
export type Random = () => number;

/** The version that gets copies of requests. */
export interface ShadowTarget extends Shadow {
  readonly loaded: ModelVersion;
}

/** A version with its share of the requests. */
export class Arm implements Candidate {
  readonly model: string;
  readonly version: string;
  readonly name: ArmName;
  /** As in `TrafficRoute`. */
  readonly period: number;
  readonly weight: number;
  readonly seed: Hash;
  readonly shadow: ShadowTarget | undefined;
  /** The version, or the reason why it cannot respond. */
  readonly #loaded: ModelVersion | ServeError;

  constructor(
    version: string,
    weight: number,
    loaded: ModelVersion | ServeError,
    { model, name, period, shadow }: Pick<Arm, 'model' | 'name' | 'period' | 'shadow'>,
  ) {
    this.model = model;
    this.version = version;
    this.name = name;
    this.period = period;
    this.weight = weight;
    this.seed = hash64(JSON.stringify([model, version]));
    this.shadow = shadow;
    this.#loaded = loaded;
  }

  /** @throws {ServeError} `MODEL_NOT_READY`, `VERSION_NOT_FOUND` */
  loaded(): ModelVersion {
    if (this.#loaded instanceof ServeError) throw this.#loaded;
    return this.#loaded;
  }

  loadedOrNone(): ModelVersion | undefined {
    return this.#loaded instanceof ServeError ? undefined : this.#loaded;
  }

  /** The version, which stays loaded until it is released. @throws {ServeError} as `loaded` */
  hold(): ModelVersion {
    return this.loaded().hold();
  }
}

export class Split {
  readonly arms: readonly Arm[];
  /** The cumulative share up to which each arm is drawn; the last is 1. */
  readonly #upTo: readonly number[];

  constructor(arms: readonly Arm[]) {
    this.arms = arms;
    const total = arms.reduce((sum, { weight }) => sum + weight, 0);
    let sum = 0;
    this.#upTo = arms.map(({ weight }) => {
      sum += weight;
      return sum / total;
    });
  }

  /** The arm of a key, always the same; without a key one at random. */
  choose(key: string | undefined, random: Random): Arm {
    const { arms } = this;
    if (arms.length === 1) return arms[0]!;
    if (key !== undefined) return arms[rendezvous(arms, key)]!;
    const drawn = random();
    const index = this.#upTo.findIndex((upTo) => drawn < upTo);
    return arms.at(index)!;
  }

  /** The version with the largest share; of equal ones the first. */
  heaviest(): string {
    return this.arms.reduce((best, arm) => (arm.weight > best.weight ? arm : best)).version;
  }
}

/**
 * Compiles a route. Versions that the model does not have get no requests, unless it has none of them. A version that
 * could not be loaded keeps its share, whose requests fail: a canary must not pass because its requests go elsewhere.
 */
export function compileSplit(
  model: ServedModel,
  { weights, shadow, canary, period = 0 }: TrafficRoute,
  labels: Readonly<Record<string, string>>,
): Split {
  const arms = sharesOf(weights, model.newest()).map(([version, weight]) => {
    const name = canary === undefined ? version : version === canary.version ? 'canary' : 'stable';
    const about = { model: model.name, name, period, shadow: targetOf(model, version, shadow) };
    return new Arm(version, weight, loadedOf(model, version, labels), about);
  });
  const present = arms.filter(({ version }) => model.hasVersion(version));
  return new Split(present.length > 0 ? present : arms);
}

/**
 * The versions that get requests, with weights of which the largest is from 1 to 2, so that no sum or score is infinite.
 * They are divided by a power of two, which changes no digit. Weights that are all 0 are equal ones.
 */
function sharesOf(
  weights: Readonly<Record<string, number>>,
  newest: string,
): readonly (readonly [version: string, weight: number])[] {
  const all = Object.entries(weights);
  const shares = all.filter(([, weight]) => weight > 0);
  if (shares.length > 0) {
    const unit = 2 ** Math.floor(Math.log2(Math.max(...shares.map(([, weight]) => weight))));
    return shares.map(([version, weight]) => [version, weight / unit]);
  }
  return all.length === 0 ? [[newest, 1]] : all.map(([version]) => [version, 1]);
}

function loadedOf(
  model: ServedModel,
  version: string,
  labels: Readonly<Record<string, string>>,
): ModelVersion | ServeError {
  try {
    return model.version(version, labels);
  } catch (error) {
    if (error instanceof ServeError) return error;
    throw error;
  }
}

/** A version is not compared with itself: it would only seem to agree with others more than it does. */
function targetOf(
  model: ServedModel,
  version: string,
  shadow: Shadow | undefined,
): ShadowTarget | undefined {
  if (shadow === undefined || shadow.version === version) return undefined;
  const loaded = model.loadedVersion(shadow.version);
  return loaded && { ...shadow, loaded };
}
