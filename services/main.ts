/** @module The composition root: reads the settings, creates engine, runtime and ports, and stops them at a signal. */

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
  wantsHelp,
} from '../runtime/index.ts';
import { announce } from './announce.ts';
import { type Service, type ServiceParts, startService, type ThreadService } from './service.ts';
import { services } from './services.ts';
import { stop } from './stop.ts';
import { serveThread, startThreads } from './threads.ts';
import { handleUncaught } from './uncaught.ts';

function open(
  config: Config,
  log: Log,
  thread: Pick<ServiceParts, 'first' | 'bus' | 'catalog' | 'follow'>,
): Promise<ThreadService> {
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
  handleUncaught(log);
  let running: Service | undefined;
  // The handler exists from the start, because models may take minutes to load. Requests to a port that is open while
  // others are still starting are lost then, as README.md says.
  onStopSignal(() => {
    if (running !== undefined) return void stop(running, config.exitTimeoutMs, log, exit);
    log.info('stopped before the services were ready');
    exit(0);
  });
  const service =
    config.maxWorkers === 1
      ? await open(config, log, { first: true })
      : await startThreads(new URL(import.meta.url), config, currentHost(), (error) => {
          log.fatal({ err: error }, 'an HTTP thread died');
          exit(1);
        });
  // This comes before the announcement, because a reader of it may stop the service at once.
  running = service;
  announce(service, log, config);
}

function thread(parent: Parent): Promise<void> {
  return serveThread(parent, (config, options) => {
    const log = createLog(config.logLevel);
    handleUncaught(log);
    return open(config, log, options);
  });
}

async function help(): Promise<void> {
  // The library takes time to load, so it is loaded only for the help.
  const { program } = await import('./cli/program.ts');
  await program.parseAsync(['serve', '--help'], { from: 'user' });
}

function run(): Promise<void> {
  const parent = parentThread();
  if (parent !== undefined) return thread(parent);
  return wantsHelp() ? help() : main();
}

await run().catch((error: unknown) =>
  exit(1, error instanceof Error ? error.message : String(error)),
);
