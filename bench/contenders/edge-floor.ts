/**
 * The edge floor: our own service as it is deployed, on an engine that responds at once. It shows the cost of our
 * TypeScript.
 *
 * @module
 */
import { createLog, currentHost, readConfig } from '../../runtime/index.ts';
import { startService } from '../../services/service.ts';
import { services } from '../../services/services.ts';
import { PuppetEngine, puppetClassifier } from '../../test/support/puppet-engine.ts';
import { serveCommand } from './serve-command.ts';
import type { HttpContender, Setup } from './types.ts';

export const contender: HttpContender = {
  kind: 'http',
  name: 'edge-floor',
  title: 'edge floor',
  computes: false,
  command: (setup) => serveCommand('edge-floor', setup),
};

export async function serve({ model, repository }: Setup): Promise<number> {
  const env = {
    MODEL_PATH: repository,
    PORT: '0',
    HOST: '127.0.0.1',
    LOG_LEVEL: 'warn',
    SERVICE: 'prediction',
  };
  const config = readConfig(services, { argv: [], env, cwd: repository });
  const engine = new PuppetEngine(() => puppetClassifier(model.features, model.scores));
  const log = createLog(config.logLevel);
  const { ports } = await startService({ config, engine, host: currentHost(), log, first: true });
  return ports.prediction!;
}
