/**
 * Edge floor: our own application on an engine that answers at once. What our TypeScript costs.
 *
 * @module
 */
import { createRuntime, readConfig } from '../../runtime/index.ts';
import { predictionApp } from '../../services/prediction/app.ts';
import { PuppetEngine, puppetClassifier } from '../../test/support/puppet-engine.ts';
import { serveCommand } from './serve-command.ts';
import type { Fetch, HttpContender, Setup } from './types.ts';

export const contender: HttpContender = {
  kind: 'http',
  name: 'edge-floor',
  title: 'edge floor',
  computes: false,
  command: (setup) => serveCommand('edge-floor', setup),
};

export async function app({ model, repository }: Setup): Promise<Fetch> {
  const env = { MODEL_PATH: repository, LOG_LEVEL: 'warn' };
  const config = readConfig({ argv: [], env, cwd: repository });
  const engine = new PuppetEngine(() => puppetClassifier(model.features, model.scores));
  return predictionApp(await createRuntime(config, engine)).fetch;
}
