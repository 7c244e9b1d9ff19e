/** @module The models as the page needs them. */

import type { ModelStatus, Runtime } from '../../runtime/index.ts';
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
    };
  });
}
