/** @module The composition root: reads the settings, creates engine, runtime and ports, and stops them at a signal. */

import { openEngine } from '../native/index.ts';
import {
  type Config,
  createLog,
  currentHost,
  exit,
  joinStore,
  joinTokenizers,
  type Log,
  onStopSignal,
  openStore,
  type Parent,
  parentThread,
  readConfig,
  type Store,
  wantsHelp,
  wantsStore,
} from '../runtime/index.ts';
import { announce } from './announce.ts';
import { type Service, type ServiceParts, startService, type ThreadService } from './service.ts';
import { services } from './services.ts';
import { stop } from './stop.ts';
import { serveThread, startThreads } from './threads.ts';
import { probeInChild } from './tools/validate/index.ts';
import { handleUncaught } from './uncaught.ts';

function open(
  config: Config,
  log: Log,
  thread: Pick<
    ServiceParts,
    'first' | 'store' | 'bus' | 'catalog' | 'follow' | 'tokenizers' | 'decodeCounts'
  >,
): Promise<ThreadService> {
  const { ortLibrary, maxWorkers } = config;
  const engine = openEngine({
    threads: maxWorkers,
    ...(ortLibrary === undefined ? {} : { library: ortLibrary }),
  });
  const probe = probeInChild(config);
  return startService({ config, engine, host: currentHost(), log, probe, ...thread });
}

/** The store, which is opened while models are loaded; undefined if none is wanted. */
function openWanted(config: Config, log: Log): Promise<Store> | undefined {
  if (!wantsStore(config, services)) return undefined;
  const store = openStore(config, log);
  // The start throws the error, when it needs the store.
  store.catch(() => {});
  return store;
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
  const store = openWanted(config, log);
  const service =
    config.maxWorkers === 1
      ? await open(config, log, { first: true, store })
      : await startThreads(new URL(import.meta.url), config, currentHost(), store, (error) => {
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
    const { store: ticket, tokenizers: port, ...others } = options;
    const store = ticket && Promise.resolve(joinStore(ticket));
    return open(config, log, { ...others, store, tokenizers: joinTokenizers(port) });
  });
}

async function help(): Promise<void> {
  // The library takes time to load, so it is loaded only for the help.
  const { program } = await import('./cli/program.ts');
  program.commands.find((command) => command.name() === 'serve')!.outputHelp();
}

function run(): Promise<void> {
  const parent = parentThread();
  if (parent !== undefined) return thread(parent);
  return wantsHelp() ? help() : main();
}

await run().catch((error: unknown) =>
  exit(1, error instanceof Error ? error.message : String(error)),
);
