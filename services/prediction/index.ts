/** @module The prediction service: `POST /predict` for tabular models, and `/v2` for the same models. */

import { exampleInputs, findExample } from '../http/example-request.ts';
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
      (model, inputs) => {
        const row = exampleInputs(inputs);
        if (row === undefined) return undefined;
        // A model of several inputs takes each as a column, by its name.
        const columns = row.map(({ name, data }) => [name, data.length === 1 ? data[0] : data]);
        const features = row.length === 1 ? row[0]!.data : Object.fromEntries(columns);
        return { path: '/predict', body: JSON.stringify({ model, features }) };
      },
    ),
  ownRoutes(builder) {
    builder.infer(predictRoute(builder.runtime));
    builder.describe(predictOperation);
  },
});
