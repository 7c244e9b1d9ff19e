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
import { type Service, startService, type ThreadService } from './service.ts';
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
  report(service, log, config);
}

function report({ models, ports }: Service, log: Log, config: Config): void {
  for (const { name: model, versions } of models) {
    for (const { state, ...about } of versions) {
      if (state !== 'ready') log.error({ model, ...about }, 'model not served');
      else if (about.fallback) log.warn({ model, ...about }, 'model loaded, but not on a GPU');
      else log.info({ model, ...about }, 'model loaded');
    }
  }
  // The first service's port also by itself, which is all of them where there is one.
  const port = ports[config.services[0]!];
  log.info({ port, ports, host: currentHost().name, workers: config.maxWorkers }, 'ready');
}

function thread(parent: Parent): Promise<void> {
  return serveThread(parent, (config, terms) => open(config, createLog(config.logLevel), terms));
}

const parent = parentThread();
await (parent === undefined ? main() : thread(parent)).catch((error: unknown) =>
  exit(1, error instanceof Error ? error.message : String(error)),
);
