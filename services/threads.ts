/**
 * Several HTTP threads on the same ports. The main thread starts and stops them, gives every change of state
 * its place in the one order, and serves nothing itself.
 *
 * @module
 */

import {
  type Bus,
  type BusMember,
  ChangeSequencer,
  type Config,
  type Failure,
  fromFailure,
  type Host,
  type ModelStatus,
  type Parent,
  portSetting,
  ServeError,
  type StateChange,
  startThread,
  type Thread,
  toFailure,
  type Vote,
} from '../runtime/index.ts';
import { STATUS } from './http/error-response.ts';
import { PendingReplies } from './pending-replies.ts';
import type { Ports, Service, ThreadService } from './service.ts';

/** What a worker sends to the main thread. */
type WorkerEvent =
  | ReadyEvent
  | { readonly kind: 'failed'; readonly message: string }
  /** A request in this worker wants a change of state. */
  | { readonly kind: 'publish'; readonly number: number; readonly change: StateChange }
  /** The worker has done what a command with this number wants. */
  | { readonly kind: 'done'; readonly number: number; readonly vote: Vote | undefined };

interface ReadyEvent {
  readonly kind: 'ready';
  readonly ports: Ports;
  readonly models: readonly ModelStatus[];
  readonly examples: Service['examples'];
  readonly state: string;
}

/** What the main thread sends to a worker. */
type WorkerCommand =
  | { readonly kind: 'prepare'; readonly number: number; readonly change: StateChange }
  | { readonly kind: 'finish'; readonly number: number; readonly commit: boolean }
  /** The change that the worker has published is made in every thread, or was not. */
  | { readonly kind: 'published'; readonly number: number; readonly failure: Failure | undefined }
  | { readonly kind: 'drain'; readonly number: number }
  | { readonly kind: 'stop' };

const ENDED: Vote = {
  result: undefined,
  failure: { code: 'INTERNAL', message: 'An HTTP thread has ended.' },
};

/** A thread that serves, as the main thread sees it. */
class ServingThread implements BusMember {
  readonly ended: Promise<Error | undefined>;
  readonly #thread: Thread;
  readonly #replies = new PendingReplies<Vote | undefined>();
  readonly #ready: Promise<WorkerEvent>;

  /** @param bus What publishes the changes that its requests want. */
  constructor(module: URL, data: ThreadData, bus: Bus) {
    this.#thread = startThread(module, data);
    this.ended = this.#thread.ended;
    this.#ready = new Promise((resolve) => {
      this.#thread.onMessage((message) => {
        const event = message as WorkerEvent;
        if (event.kind === 'done') this.#replies.settle(event.number, event.vote);
        else if (event.kind === 'publish') void this.#publish(bus, event.number, event.change);
        else resolve(event);
      });
      void this.ended.then((error) => {
        this.#replies.end(ENDED);
        resolve({ kind: 'failed', message: error?.message ?? 'An HTTP thread has ended.' });
      });
    });
  }

  /** @throws {ServeError} what stops it from serving. */
  async ready(): Promise<ReadyEvent> {
    const event = await this.#ready;
    if (event.kind === 'ready') return event;
    throw new ServeError('INTERNAL', event.kind === 'failed' ? event.message : event.kind);
  }

  async prepare(change: StateChange): Promise<Vote> {
    const vote = await this.#replies.expect((number) =>
      this.send({ kind: 'prepare', number, change }),
    );
    return vote ?? ENDED;
  }

  async finish(commit: boolean): Promise<void> {
    await this.#replies.expect((number) => this.send({ kind: 'finish', number, commit }));
  }

  async drain(): Promise<void> {
    await this.#replies.expect((number) => this.send({ kind: 'drain', number }));
  }

  send(command: WorkerCommand): void {
    this.#thread.send(command);
  }

  async #publish(bus: Bus, number: number, change: StateChange): Promise<void> {
    const failure = await bus.publish(change).then(() => undefined, toFailure);
    this.send({ kind: 'published', number, failure });
  }
}

/** The threads that serve, and the order of their changes. */
class WorkerPool {
  readonly #threads: ServingThread[] = [];
  #opened = () => {};
  readonly #bus = new ChangeSequencer(
    this.#threads,
    new Promise((resolve) => {
      this.#opened = resolve;
    }),
  );
  #stopping = false;

  /**
   * Starts threads one after the other, so that the first loads the models and the others share them.
   * Changes that requests to the first ones want wait for the last one.
   *
   * @throws {ServeError} what stopped the first thread that could not start.
   */
  async start(module: URL, config: Config): Promise<ReadyEvent> {
    const ready: ReadyEvent[] = [];
    for (let i = 0; i < config.maxWorkers; i += 1) {
      const thread = new ServingThread(module, { config, first: i === 0 }, this.#bus);
      this.#threads.push(thread);
      ready.push(await thread.ready());
    }
    const [first, ...others] = ready;
    // A poll makes the others what the first one is.
    const follows = config.modelControlMode === 'poll';
    if (!follows && others.some(({ state }) => state !== first!.state)) {
      throw new ServeError(
        'INVALID_CONFIG',
        'The model repository was changed while HTTP threads were starting; start again when its files stand still.',
      );
    }
    this.#opened();
    return first!;
  }

  /** @param listener Called with what ended the first thread that ends by itself. */
  onDeath(listener: (error: Error | undefined) => void): void {
    void Promise.race(this.#threads.map((thread) => thread.ended)).then((error) => {
      if (!this.#stopping) listener(error);
    });
  }

  /** No thread closes its ports before all have drained: they share them, and clients are still refused. */
  async drain(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.drain()));
    await this.#bus.close();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#opened();
    for (const thread of this.#threads) thread.send({ kind: 'stop' });
    await Promise.all(this.#threads.map((thread) => thread.ended));
  }
}

/**
 * Starts `config.maxWorkers` threads. gRPC is the first one's alone.
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
  try {
    const { ports: open, models, examples } = await pool.start(module, { ...config, ports });
    pool.onDeath(onDeath);
    return { ports: open, models, examples, drain: () => pool.drain(), stop: () => pool.stop() };
  } catch (error) {
    await pool.stop();
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
  const send = (event: WorkerEvent) => parent.send(event);
  const { config, first } = parent.data as ThreadData;
  const replies = new PendingReplies<Failure | undefined>();
  const bus: Bus = {
    async publish(change) {
      const failure = await replies.expect((number) => send({ kind: 'publish', number, change }));
      if (failure !== undefined) throw fromFailure(failure);
    },
  };
  try {
    const service = await open(config, { first, bus });
    const leave = parent.onMessage((message) => {
      const command = message as WorkerCommand;
      if (command.kind === 'published') replies.settle(command.number, command.failure);
      else if (command.kind === 'stop') void service.stop().then(leave);
      else {
        const { number } = command;
        void obey(service, command).then((vote) => send({ kind: 'done', number, vote }));
      }
    });
    const { ports, models, examples } = service;
    send({ kind: 'ready', ports, models, examples, state: service.state() });
  } catch (error) {
    send({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

/** The commands that are answered when they are done. */
type AnsweredCommand = Extract<WorkerCommand, { kind: 'prepare' | 'finish' | 'drain' }>;

async function obey(service: ThreadService, command: AnsweredCommand): Promise<Vote | undefined> {
  if (command.kind === 'prepare') return service.member.prepare(command.change);
  if (command.kind === 'finish') await service.member.finish(command.commit);
  else await service.drain();
  return undefined;
}
