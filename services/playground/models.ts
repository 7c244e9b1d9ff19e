/** @module The models as the page needs them. */

import {
  type BoxDefaults,
  boxDefaults,
  type ModelStatus,
  type Runtime,
  type ServedModel,
} from '../../runtime/index.ts';
import {
  defaultFirst,
  type ExampleInput,
  exampleFeatures,
  exampleInputs,
  versionFor,
} from '../http/example-request.ts';

/** A model with what its forms need. */
export interface PlaygroundModel extends ModelStatus {
  /** Names of the features in order, if `model.json` has them. */
  readonly features?: readonly string[] | undefined;
  /** A row as `/predict` takes it; absent if the model leaves its size open, or the row is long. */
  readonly row?: unknown;
  /** That row as `/v2` takes it. */
  readonly inputs?: readonly ExampleInput[] | undefined;
  /** By the version: what it does with boxes. Versions without boxes are absent. */
  readonly boxes: Readonly<Record<string, BoxDefaults>>;
}

/** The models as `/ready` lists them, the default first. */
export function playgroundModels({ config, routes }: Runtime): readonly PlaygroundModel[] {
  return defaultFirst(routes.models(), config).map((model) => {
    const version = versionFor(routes, { model: model.name, version: undefined });
    return {
      ...model.status(),
      features: version?.config.features,
      row: version && exampleFeatures(version),
      inputs: version && exampleInputs(version),
      boxes: boxesOf(model),
    };
  });
}

function boxesOf(model: ServedModel): Readonly<Record<string, BoxDefaults>> {
  const each = model.loaded().flatMap(({ version, image }) => {
    const defaults = image && boxDefaults(image);
    return defaults === undefined ? [] : [[version, defaults] as const];
  });
  return Object.fromEntries(each);
}
