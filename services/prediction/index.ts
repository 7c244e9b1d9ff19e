/** @module The prediction service: `POST /predict` for tabular models, and `/v2` for the same models. */

import { exampleFeatures, findExample } from '../http/example-request.ts';
import { modelService } from '../inference/model-service.ts';
import { predictRoute, TASKS } from './predict.ts';
import { predictOperation } from './schema.ts';

export const prediction = modelService({
  name: 'prediction',
  defaultPort: 8001,
  title: 'Prediction service',
  description: 'Predictions of tabular models: classifiers and regressors.',
  panels: ['predict'],
  example: (runtime) =>
    findExample(
      runtime,
      (model) => model.hasTask(TASKS),
      (version) => {
        const features = exampleFeatures(version);
        const body = { model: version.model, features };
        return features === undefined
          ? undefined
          : { path: '/predict', body: JSON.stringify(body) };
      },
    ),
  ownRoutes(builder) {
    builder.infer(predictRoute(builder.runtime));
    builder.describe(predictOperation);
  },
});
