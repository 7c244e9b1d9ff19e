/** @module Several HTTP threads on one port. The main thread starts and stops them and serves nothing itself. */

import {
  type Config,
  type Host,
  type ModelStatus,
  type Parent,
  ServeError,
  startThread,
  type Thread,
} from '../runtime/index.ts';
import { STATUS } from './http/problem.ts';
import type { Service } from './service.ts';

/** What a thread tells the main thread. */
type Report =
  | { readonly kind: 'ready'; readonly models: readonly ModelStatus[] }
  | { readonly kind: 'failed'; readonly message: string };

/**
 * Starts `config.maxWorkers` threads, one after the other, so that the first loads the models and the
 * others share them.
 *
 * @param module What each thread runs; it is to call `serveThread`.
 * @param onDeath Called when a thread ends that was not asked to.
 * @throws {ServeError} what stopped the first thread that could not start.
 */
export async function startThreads(
  module: URL,
  config: Config,
  host: Host,
  onDeath: (error: Error | undefined) => void,
): Promise<Service> {
  const port = await reservePort(config, host);
  const threads: Thread[] = [];
  let stopping = false;
  const stop = async () => {
    stopping = true;
    for (const thread of threads) thread.send('stop');
    await Promise.all(threads.map((thread) => thread.ended));
  };
  let models: readonly ModelStatus[] = [];
  try {
    for (let i = 0; i < config.maxWorkers; i += 1) {
      const thread = startThread(module, { ...config, port });
      models = await ready(thread);
      threads.push(thread);
      void thread.ended.then((error) => {
        if (!stopping) onDeath(error);
      });
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, models, stop };
}

/**
 * Threads share a port by a socket option, which would also let a second process in: so the port is first
 * opened without it, which fails where anybody holds it.
 */
async function reservePort({ host: hostname, port }: Config, host: Host): Promise<number> {
  const refuse = () => new Response(null, { status: STATUS.DRAINING });
  const guard = await host.listen({ hostname, port, shared: false, fetch: refuse });
  await guard.stop();
  return guard.port;
}

async function ready(thread: Thread): Promise<readonly ModelStatus[]> {
  const report = await new Promise<Report>((resolve) => {
    thread.onMessage((message) => resolve(message as Report));
    void thread.ended.then((error) =>
      resolve({
        kind: 'failed',
        message: error?.message ?? 'An HTTP thread ended while starting.',
      }),
    );
  });
  if (report.kind === 'ready') return report.models;
  throw new ServeError('INTERNAL', report.message);
}

/** Runs in a thread: serves until the main thread says stop. */
export async function serveThread(
  parent: Parent,
  open: (config: Config) => Promise<Service>,
): Promise<void> {
  const report = (message: Report) => parent.send(message);
  try {
    const service = await open(parent.data as Config);
    const leave = parent.onMessage(() => void service.stop().then(() => leave()));
    report({ kind: 'ready', models: service.models });
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}
