/** @module Several HTTP threads on the same ports. The main thread starts and stops them and serves nothing itself. */

import {
  type Config,
  type Host,
  type ModelStatus,
  type Parent,
  portSetting,
  type RepositoryChange,
  ServeError,
  type ServiceName,
  startThread,
  type Thread,
} from '../runtime/index.ts';
import { STATUS } from './http/error-response.ts';
import type { Ports, Service } from './service.ts';

/** What a thread tells the main thread. */
type Report =
  | { readonly kind: 'ready'; readonly ports: Ports; readonly models: readonly ModelStatus[] }
  | { readonly kind: 'failed'; readonly message: string }
  /** It has changed its models, and the others are to follow. */
  | { readonly kind: 'changed'; readonly change: RepositoryChange; readonly number: number }
  /** It has followed, or says why it could not. */
  | { readonly kind: 'followed'; readonly number: number; readonly failure: string | undefined };

/** What the main thread tells a thread. */
type Order =
  | { readonly kind: 'stop' }
  | { readonly kind: 'follow'; readonly change: RepositoryChange; readonly number: number }
  /** The others have followed its own change. */
  | { readonly kind: 'shared'; readonly number: number; readonly failure: string | undefined };

/**
 * Starts `config.maxWorkers` threads, one after the other, so that the first loads the models and the
 * others share them. gRPC is the first one's alone.
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
  const ports = { ...config.ports };
  for (const name of config.services) ports[name] = await reservePort(config, name, host);
  const crew = new WorkerPool();
  let stopping = false;
  const stop = async () => {
    stopping = true;
    await crew.stop();
  };
  let first: { ports: Ports; models: readonly ModelStatus[] } | undefined;
  try {
    for (let i = 0; i < config.maxWorkers; i += 1) {
      const thread = startThread(module, { config: { ...config, ports }, first: i === 0 });
      const report = await ready(thread);
      first ??= report;
      crew.add(thread);
      void thread.ended.then((error) => {
        if (!stopping) onDeath(error);
      });
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...first!, follow: (change) => crew.follow(change, undefined), stop };
}

/** The threads that serve, which follow each other's changes. */
class WorkerPool {
  readonly #threads: Thread[] = [];
  /** Who waits for a thread to have followed. */
  readonly #waiting = new Map<number, (failure: string | undefined) => void>();
  #number = 0;

  add(thread: Thread): void {
    this.#threads.push(thread);
    thread.onMessage((message) => {
      const report = message as Report;
      if (report.kind === 'followed') this.#waiting.get(report.number)?.(report.failure);
      if (report.kind === 'changed') void this.#share(thread, report.change, report.number);
    });
  }

  /** @throws {ServeError} `INTERNAL` where a thread could not. */
  async follow(change: RepositoryChange, but: Thread | undefined): Promise<void> {
    const others = this.#threads.filter((thread) => thread !== but);
    const failures = await Promise.all(others.map((thread) => this.#order(thread, change)));
    const failure = failures.find((each) => each !== undefined);
    if (failure !== undefined) throw new ServeError('INTERNAL', failure);
  }

  async stop(): Promise<void> {
    for (const thread of this.#threads) send(thread, { kind: 'stop' });
    await Promise.all(this.#threads.map((thread) => thread.ended));
  }

  async #share(from: Thread, change: RepositoryChange, number: number): Promise<void> {
    const failure = await this.follow(change, from).then(() => undefined, messageOf);
    send(from, { kind: 'shared', number, failure });
  }

  #order(thread: Thread, change: RepositoryChange): Promise<string | undefined> {
    this.#number += 1;
    const number = this.#number;
    return new Promise<string | undefined>((resolve) => {
      this.#waiting.set(number, resolve);
      void thread.ended.then(() => resolve('An HTTP thread ended.'));
      send(thread, { kind: 'follow', change, number });
    }).finally(() => this.#waiting.delete(number));
  }
}

const send = (thread: Thread, order: Order): void => thread.send(order);

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/**
 * Threads share a port by a socket option, which would also let a second process in: so the port is first
 * opened without it, which fails where anybody holds it.
 */
async function reservePort(config: Config, name: ServiceName, host: Host): Promise<number> {
  const refuse = () => new Response(null, { status: STATUS.DRAINING });
  const guard = await host.listen({
    hostname: config.host,
    port: config.ports[name],
    setting: portSetting(name, config),
    shared: false,
    fetch: refuse,
  });
  await guard.stop();
  return guard.port;
}

async function ready(thread: Thread) {
  const report = await new Promise<Report>((resolve) => {
    thread.onMessage((message) => resolve(message as Report));
    void thread.ended.then((error) =>
      resolve({
        kind: 'failed',
        message: error?.message ?? 'An HTTP thread ended while starting.',
      }),
    );
  });
  if (report.kind === 'ready') return report;
  throw new ServeError('INTERNAL', report.kind === 'failed' ? report.message : report.kind);
}

/** What a thread is started with. */
interface ThreadData {
  readonly config: Config;
  readonly first: boolean;
}

/** What a thread has to know beside the settings. */
export interface ThreadOptions {
  readonly first: boolean;
  /** Tells the other threads of a change, and resolves when they have made it. */
  announce(change: RepositoryChange): Promise<void>;
}

/** Runs in a thread: serves until the main thread says stop. */
export async function serveThread(
  parent: Parent,
  open: (config: Config, terms: ThreadOptions) => Promise<Service>,
): Promise<void> {
  const report = (message: Report) => parent.send(message);
  const { config, first } = parent.data as ThreadData;
  const waiting = new Map<number, (failure: string | undefined) => void>();
  let number = 0;
  const announce = async (change: RepositoryChange) => {
    number += 1;
    const failure = await new Promise<string | undefined>((resolve) => {
      waiting.set(number, resolve);
      report({ kind: 'changed', change, number });
    });
    if (failure !== undefined) throw new ServeError('INTERNAL', failure);
  };
  try {
    const service = await open(config, { first, announce });
    const leave = parent.onMessage((message) => {
      const order = message as Order;
      if (order.kind === 'stop') void service.stop().then(() => leave());
      else if (order.kind === 'shared') waiting.get(order.number)?.(order.failure);
      else {
        void service
          .follow(order.change)
          .then(() => undefined, messageOf)
          .then((failure) => report({ kind: 'followed', number: order.number, failure }));
      }
    });
    report({ kind: 'ready', ports: service.ports, models: service.models });
  } catch (error) {
    report({ kind: 'failed', message: messageOf(error) });
  }
}
