/**
 * Ours: the prediction service as it is deployed, on a model repository that holds the one model.
 *
 * @module
 */
import { fileURLToPath } from 'node:url';
import type { HttpContender } from './types.ts';

export const contender: HttpContender = {
  kind: 'http',
  name: 'ours',
  title: 'ours',
  computes: true,
  command: ({ repository }) => ({
    argv: [process.execPath, fileURLToPath(new URL('../../services/main.ts', import.meta.url))],
    env: {
      MODEL_PATH: repository,
      PORT: '0',
      SERVICE: 'prediction',
      HOST: '127.0.0.1',
      NODE_ENV: 'production',
    },
    // The working directory is not the checkout, so that a settings file there has no effect.
    cwd: repository,
  }),
};
