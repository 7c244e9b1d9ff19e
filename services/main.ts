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
import { announce } from './announce.ts';
import { startService, type ThreadService } from './service.ts';
import { services } from './services.ts';
import { stop } from './stop.ts';
import { serveThread, startThreads, type ThreadOptions } from './threads.ts';

function open(config: Config, log: Log, thread?: ThreadOptions): Promise<ThreadService> {
  const { ortLibrary, maxWorkers } = config;
  const engine = openEngine({
    threads: maxWorkers,
    ...(ortLibrary === undefined ? {} : { library: ortLibrary }),
  });
  return startService({ config, engine, host: currentHost(), log, ...thread });
}

async function main(): Promise<void> {
  const config = readConfig(services);
  const log = createLog(config.logLevel);
  const service =
    config.maxWorkers === 1
      ? await open(config, log)
      : await startThreads(new URL(import.meta.url), config, currentHost(), (error) => {
          log.fatal({ err: error }, 'an HTTP thread died');
          exit(1);
        });
  // Before the service is announced: whoever reads that it is ready may stop it at once.
  onStopSignal(() => void stop(service, config.exitTimeoutMs, log, exit));
  announce(service, log, config);
}

function thread(parent: Parent): Promise<void> {
  return serveThread(parent, (config, options) =>
    open(config, createLog(config.logLevel), options),
  );
}

const parent = parentThread();
await (parent === undefined ? main() : thread(parent)).catch((error: unknown) =>
  exit(1, error instanceof Error ? error.message : String(error)),
);
