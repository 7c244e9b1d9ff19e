/**
 * Several HTTP threads on the same ports. The main thread starts and stops them, gives every change of state
 * its place in the one order, and serves nothing itself.
 *
 * @module
 */

import {
  type Applied,
  type Apply,
  type Bus,
  ChangeSequencer,
  type Config,
  type Failure,
  fromFailure,
  type Host,
  type ModelStatus,
  type Parent,
  portSetting,
  type StateChange,
  startThread,
  type Thread,
  toFailure,
} from '../runtime/index.ts';
import { STATUS } from './http/error-response.ts';
import type { Ports, Service, ThreadService } from './service.ts';

/** What a worker sends to the main thread. */
type WorkerEvent =
  | ReadyEvent
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** A request in this thread wants a change made everywhere. */
  | { readonly kind: 'publish'; readonly number: number; readonly change: StateChange }
  | { readonly kind: 'applied'; readonly number: number; readonly applied: Applied }
  /** Every request that it had taken is completed. */
  | { readonly kind: 'drained' };

interface ReadyEvent {
  readonly kind: 'ready';
  readonly ports: Ports;
  readonly models: readonly ModelStatus[];
  readonly examples: Service['examples'];
  readonly state: string;
}

/** What the main thread sends to a worker. */
type WorkerCommand =
  | { readonly kind: 'drain' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'apply'; readonly number: number; readonly change: StateChange }
  /** Every thread has made the change that the worker published, or it could not be made. */
  | { readonly kind: 'published'; readonly number: number; readonly failure: Failure | undefined };

/** Promises of replies, by the number of what was sent. */
class PendingReplies<Reply> {
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #number = 0;

  /** Calls `send` with a new number, and waits for the reply to it. */
  expect(send: (number: number) => void): Promise<Reply> {
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve) => {
      this.#waiting.set(number, resolve);
      send(number);
    });
  }

  settle(number: number, reply: Reply): void {
    this.#waiting.get(number)?.(reply);
    this.#waiting.delete(number);
  }
}

/** The threads that serve, as the main thread sees them. */
class WorkerPool {
  readonly #threads: Thread[] = [];
  /** Resolves for each thread when it has drained. */
  readonly #drained: Promise<void>[] = [];
  readonly #members: Apply[] = [];
  readonly bus = new ChangeSequencer(() => this.#members);

  /** Starts a worker. @throws {ServeError} what stopped it. */
  async start(module: URL, data: ThreadData): Promise<ReadyEvent> {
    const thread = startThread(module, data);
    const replies = new PendingReplies<Applied>();
    const drained = Promise.withResolvers<void>();
    const ready = await new Promise<WorkerEvent>((resolve) => {
      thread.onMessage((message) => {
        const event = message as WorkerEvent;
        if (event.kind === 'applied') replies.settle(event.number, event.applied);
        else if (event.kind === 'publish') void this.#publish(thread, event.number, event.change);
        else if (event.kind === 'drained') drained.resolve();
        else resolve(event);
      });
      void thread.ended.then((error) => {
        const message = error?.message ?? 'An HTTP thread ended while starting.';
        resolve({ kind: 'failed', failure: { code: 'INTERNAL', message } });
      });
    });
    if (ready.kind === 'failed') throw fromFailure(ready.failure);
    this.#threads.push(thread);
    this.#drained.push(Promise.race([drained.promise, thread.ended.then(() => {})]));
    this.#members.push((change) =>
      replies.expect((number) => send(thread, { kind: 'apply', number, change })),
    );
    return ready as ReadyEvent;
  }

  /** @param listener Called with the first thread that ends, and what ended it. */
  onEnd(listener: (error: Error | undefined) => void): void {
    void Promise.race(this.#threads.map((thread) => thread.ended)).then(listener);
  }

  /** No thread closes its ports before all have drained: they share them, and clients are still refused. */
  async drain(): Promise<void> {
    for (const thread of this.#threads) send(thread, { kind: 'drain' });
    await Promise.all(this.#drained);
  }

  async stop(): Promise<void> {
    for (const thread of this.#threads) send(thread, { kind: 'stop' });
    await Promise.all(this.#threads.map((thread) => thread.ended));
  }

  async #publish(from: Thread, number: number, change: StateChange): Promise<void> {
    const failure = await this.bus.publish(change).then(() => undefined, toFailure);
    send(from, { kind: 'published', number, failure });
  }
}

const send = (thread: Thread, command: WorkerCommand): void => thread.send(command);

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
  const pool = new WorkerPool();
  let stopping = false;
  const stop = () => {
    stopping = true;
    return pool.stop();
  };
  try {
    const started: ReadyEvent[] = [];
    for (let i = 0; i < config.maxWorkers; i += 1) {
      started.push(await pool.start(module, { config: { ...config, ports }, first: i === 0 }));
    }
    // A repository that changed between the starts of two threads has left them with different models.
    const [first] = started;
    if (started.some(({ state }) => state !== first!.state)) {
      await pool.bus.publish({ kind: 'refresh' });
    }
    pool.onEnd((error) => {
      if (!stopping) onDeath(error);
    });
    const drain = () => pool.drain();
    const { ports: opened, models, examples } = first!;
    return { ports: opened, models, examples, drain, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Threads share a port by a socket option, which would also let a second process in: so the port is first
 * opened without it, which fails where anybody holds it.
 */
async function reservePort(config: Config, name: string, host: Host): Promise<number> {
  const refuse = () => new Response(null, { status: STATUS.DRAINING });
  const guard = await host.listen({
    hostname: config.host,
    port: config.ports[name]!,
    setting: portSetting(name, config),
    idleTimeoutSecs: config.idleTimeoutSecs,
    shared: false,
    fetch: refuse,
  });
  await guard.stop();
  return guard.port;
}

/** What a thread is started with. */
interface ThreadData {
  readonly config: Config;
  readonly first: boolean;
}

/** What a thread has to know beside the settings. */
export interface ThreadOptions {
  readonly first: boolean;
  readonly bus: Bus;
}

/** Runs in a worker: serves until the main thread says stop. */
export async function serveThread(
  parent: Parent,
  open: (config: Config, options: ThreadOptions) => Promise<ThreadService>,
): Promise<void> {
  const report = (event: WorkerEvent) => parent.send(event);
  const { config, first } = parent.data as ThreadData;
  const replies = new PendingReplies<Failure | undefined>();
  const bus: Bus = {
    async publish(change) {
      const failure = await replies.expect((number) => report({ kind: 'publish', number, change }));
      if (failure !== undefined) throw fromFailure(failure);
    },
  };
  try {
    const service = await open(config, { first, bus });
    const leave = parent.onMessage((message) => {
      const command = message as WorkerCommand;
      if (command.kind === 'drain') void service.drain().then(() => report({ kind: 'drained' }));
      else if (command.kind === 'stop') void service.stop().then(() => leave());
      else if (command.kind === 'published') replies.settle(command.number, command.failure);
      else void applyAndReport(service, command.number, command.change, report);
    });
    const { ports, models, examples } = service;
    report({ kind: 'ready', ports, models, examples, state: service.state() });
  } catch (error) {
    report({ kind: 'failed', failure: toFailure(error) });
  }
}

async function applyAndReport(
  service: ThreadService,
  number: number,
  change: StateChange,
  report: (event: WorkerEvent) => void,
): Promise<void> {
  report({ kind: 'applied', number, applied: await service.apply(change) });
}
