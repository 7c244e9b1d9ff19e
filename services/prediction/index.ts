/** @module The prediction service: `POST /predict` for tabular models, and `/v2` for the same models. */

import type { ServiceDefinition } from '../http/service-definition.ts';
import { v2Routes } from '../inference/v2.ts';
import { predictRoute } from './predict.ts';
import { predictOperation } from './schema.ts';

export const prediction: ServiceDefinition = {
  name: 'prediction',
  defaultPort: 8001,
  title: 'Prediction service',
  description: 'Predictions of tabular models: classifiers and regressors.',
  routes(builder) {
    builder.infer(predictRoute(builder.runtime));
    builder.describe(predictOperation);
    v2Routes(builder);
  },
};
