/** @module The prediction service: `POST /predict` for tabular models, and `/v2` for the same models. */

import { elementCount } from '../../runtime/index.ts';
import type { ServiceDefinition } from '../http/service-definition.ts';
import { v2Routes } from '../inference/v2.ts';
import { predictRoute, TASKS } from './predict.ts';
import { predictOperation } from './schema.ts';

export const prediction: ServiceDefinition = {
  name: 'prediction',
  defaultPort: 8001,
  title: 'Prediction service',
  description: 'Predictions of tabular models: classifiers and regressors.',
  example({ routes }) {
    // Of a model whose default version could not be loaded, requests must name another one.
    const tabular = routes.models().filter((model) => model.hasTask(TASKS) && model.isComplete());
    const found = tabular.find(({ isDefault }) => isDefault) ?? tabular[0];
    if (found === undefined) return undefined;
    const { signature } = routes.describe({ model: found.name, version: undefined });
    const values = elementCount(signature.inputs[0]!.dims.slice(1));
    // A dynamic number of features gives no example, and a long row would not be readable.
    if (values < 1 || values > 64) return undefined;
    const body = JSON.stringify({ model: found.name, features: new Array(values).fill(0) });
    return { path: '/predict', body };
  },
  routes(builder) {
    builder.infer(predictRoute(builder.runtime));
    builder.describe(predictOperation);
    v2Routes(builder);
  },
};
