/** @module Composition root: settings → engine → runtime → port → "ready", and the way back at a signal. */

import { openEngine } from '../native/index.ts';
import {
  type Config,
  createLog,
  currentHost,
  exit,
  type Log,
  onStopSignal,
  type Parent,
  parentThread,
  readConfig,
} from '../runtime/index.ts';
import { type Service, startService } from './service.ts';
import { serveThread, startThreads } from './threads.ts';

/** An orderly stop that takes longer than this is given up. */
const HARD_STOP_MS = 30_000;

function open(config: Config, log: Log, shared: boolean): Promise<Service> {
  const { ortLibrary } = config;
  const engine = openEngine(ortLibrary === undefined ? {} : { library: ortLibrary });
  return startService({ config, engine, host: currentHost(), log, shared });
}

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLog(config.logLevel);
  const service =
    config.maxWorkers === 1
      ? await open(config, log, false)
      : await startThreads(new URL(import.meta.url), config, currentHost(), (error) => {
          log.fatal({ err: error }, 'an HTTP thread died');
          exit(1);
        });
  for (const model of service.models) log.info(model, 'model');
  const { port } = service;
  log.info({ port, host: currentHost().name, workers: config.maxWorkers }, 'ready');
  onStopSignal(() => void stop(service, log));
}

async function stop(service: Service, log: Log): Promise<void> {
  log.info('stopping');
  const timer = setTimeout(() => {
    log.error({ ms: HARD_STOP_MS }, 'requests did not end in time');
    exit(1);
  }, HARD_STOP_MS);
  await service.stop();
  clearTimeout(timer);
  log.info('stopped');
  exit(0);
}

function thread(parent: Parent): Promise<void> {
  return serveThread(parent, (config) => open(config, createLog(config.logLevel), true));
}

const parent = parentThread();
await (parent === undefined ? main() : thread(parent)).catch((error: unknown) =>
  exit(1, error instanceof Error ? error.message : String(error)),
);
