/**
 * Runs several HTTP threads on the same ports. The main thread starts and stops them and puts all changes of state in
 * one order. It serves no requests itself.
 *
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import {
  type Bus,
  type BusMember,
  type CatalogSnapshot,
  ChangeSequencer,
  type Config,
  DecodeBudget,
  type Failure,
  fromFailure,
  type Host,
  type ModelStatus,
  openTokenizers,
  type Parent,
  portSetting,
  ServeError,
  type StateChange,
  type Store,
  type StoreTicket,
  shareStore,
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
  /** A request that this worker serves requires a change of state. */
  | { readonly kind: 'publish'; readonly number: number; readonly change: StateChange }
  /** A request that this worker serves has changed the catalog, which the first worker is to follow. */
  | { readonly kind: 'follow'; readonly number: number }
  /** The worker has carried out the command with this number. */
  | { readonly kind: 'done'; readonly number: number; readonly vote: Vote | undefined };

interface ReadyEvent {
  readonly kind: 'ready';
  readonly ports: Ports;
  readonly models: readonly ModelStatus[];
  readonly examples: Service['examples'];
  readonly state: string;
  readonly catalog: CatalogSnapshot | undefined;
}

/** What the main thread sends to a worker. */
type WorkerCommand =
  | { readonly kind: 'prepare'; readonly number: number; readonly change: StateChange }
  | { readonly kind: 'finish'; readonly number: number; readonly commit: boolean }
  /**
   * What the worker asked for is done. Of a change that it published: every thread has made it, or none has, for the reason
   * in `failure`.
   */
  | { readonly kind: 'answered'; readonly number: number; readonly failure: Failure | undefined }
  | { readonly kind: 'follow'; readonly number: number }
  | { readonly kind: 'drain'; readonly number: number }
  | { readonly kind: 'stop' };

const ENDED: Vote = {
  result: undefined,
  failure: { code: 'INTERNAL', message: 'An HTTP thread has ended.' },
};

type StartThread = () => Thread;

/** The main thread's view of an HTTP thread. */
class ServingThread implements BusMember {
  readonly ended: Promise<Error | undefined>;
  readonly #thread: Thread;
  readonly #replies = new PendingReplies<Vote | undefined>();
  readonly #ready: Promise<WorkerEvent>;

  /**
   * @param start Starts it.
   * @param bus Publishes the changes that requests to this thread ask for.
   * @param follow Makes the first thread follow the catalog.
   */
  constructor(start: StartThread, bus: Bus, follow: () => Promise<void>) {
    this.#thread = start();
    this.ended = this.#thread.ended;
    this.#ready = new Promise((resolve) => {
      this.#thread.onMessage((message) => {
        const event = message as WorkerEvent;
        if (event.kind === 'done') this.#replies.settle(event.number, event.vote);
        else if (event.kind === 'publish') this.#answer(event.number, bus.publish(event.change));
        else if (event.kind === 'follow') this.#answer(event.number, follow());
        else resolve(event);
      });
      void this.ended.then((error) => {
        this.#replies.end(ENDED);
        resolve({ kind: 'failed', message: error?.message ?? 'An HTTP thread has ended.' });
      });
    });
  }

  /** @throws {ServeError} the reason why the thread cannot serve */
  async ready(): Promise<ReadyEvent> {
    const event = await this.#ready;
    if (event.kind === 'ready') return event;
    throw new ServeError('INTERNAL', event.kind === 'failed' ? event.message : event.kind);
  }

  async prepare(change: StateChange): Promise<Vote> {
    try {
      const send = (number: number) => this.send({ kind: 'prepare', number, change });
      return (await this.#replies.expect(send)) ?? ENDED;
    } catch (error) {
      // There may be no memory for the copy of a model's files.
      return { result: undefined, failure: toFailure(error) };
    }
  }

  async finish(commit: boolean): Promise<void> {
    await this.#replies.expect((number) => this.send({ kind: 'finish', number, commit }));
  }

  async drain(): Promise<void> {
    await this.#replies.expect((number) => this.send({ kind: 'drain', number }));
  }

  /** Makes this thread follow the catalog; see `Platform.followed`. */
  async follow(): Promise<void> {
    await this.#replies.expect((number) => this.send({ kind: 'follow', number }));
  }

  send(command: WorkerCommand): void {
    this.#thread.send(command);
  }

  #answer(number: number, done: Promise<void>): void {
    const send = (failure: Failure | undefined) => this.send({ kind: 'answered', number, failure });
    void done.then(
      () => send(undefined),
      (error) => send(toFailure(error)),
    );
  }
}

/** The HTTP threads, and the bus that orders their changes of state. */
class WorkerPool {
  readonly #threads: ServingThread[] = [];
  readonly #tokenizers = openTokenizers();
  readonly #decodeCounts = DecodeBudget.counts();
  #opened = () => {};
  readonly #bus = new ChangeSequencer(
    this.#threads,
    new Promise((resolve) => {
      this.#opened = resolve;
    }),
  );
  #stopping = false;

  /**
   * Starts threads one after the other, so that the first one loads the models and the others share them. Changes that
   * are published meanwhile wait until the last one has started.
   *
   * @throws {ServeError} the reason why the first thread that failed could not start
   */
  async start(module: URL, config: Config, store: Store | undefined): Promise<ReadyEvent> {
    const ready: ReadyEvent[] = [];
    for (let i = 0; i < config.maxWorkers; i += 1) {
      const shared = store && shareStore(store, config);
      const data: ThreadData = {
        ...{ config, first: i === 0 },
        catalog: ready[0]?.catalog,
        store: shared?.ticket,
        tokenizers: this.#tokenizers.share(),
        decodeCounts: this.#decodeCounts,
      };
      const moved = [...(shared?.moved ?? []), data.tokenizers];
      const start = () => startThread(module, data, moved);
      const thread = new ServingThread(start, this.#bus, () => this.#threads[0]!.follow());
      this.#threads.push(thread);
      ready.push(await thread.ready());
    }
    const [first, ...others] = ready;
    // In poll mode the next poll makes all threads serve the same models.
    const follows = config.modelControlMode === 'poll';
    if (!follows && others.some(({ state }) => state !== first!.state)) {
      throw new ServeError(
        'INVALID_CONFIG',
        'The model repository was changed while HTTP threads were starting; start again when no file in it is being written.',
      );
    }
    this.#opened();
    return first!;
  }

  /** @param listener Called with the error of the first thread that ends although it was not asked to. */
  onDeath(listener: (error: Error | undefined) => void): void {
    void Promise.race(this.#threads.map((thread) => thread.ended)).then((error) => {
      if (!this.#stopping) listener(error);
    });
  }

  /**
   * Refuses changes after `delayMs`, as the threads do other requests, and resolves when all threads have drained. They
   * keep the ports open until then, to refuse new requests.
   */
  async drain(delayMs: number): Promise<void> {
    const closed = sleep(delayMs).then(() => this.#bus.close());
    await Promise.all([closed, ...this.#threads.map((thread) => thread.drain())]);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#opened();
    for (const thread of this.#threads) thread.send({ kind: 'stop' });
    await Promise.all(this.#threads.map((thread) => thread.ended));
    await this.#tokenizers.close();
  }
}

/**
 * Starts `config.maxWorkers` threads. Only the first one serves gRPC.
 *
 * @param module The module that each thread runs, which must call `serveThread`.
 * @param opening The store, which is closed when the threads have ended; undefined if none is wanted.
 * @param onDeath Called when a thread ends although it was not asked to.
 * @throws {ServeError} the reason why the first thread that failed could not start
 */
export async function startThreads(
  module: URL,
  config: Config,
  host: Host,
  opening: Promise<Store> | undefined,
  onDeath: (error: Error | undefined) => void,
): Promise<Service> {
  const pool = new WorkerPool();
  const stop = async () => {
    await pool.stop();
    await (await opening?.catch(() => undefined))?.close();
  };
  try {
    const ports = { ...config.ports };
    for (const name of config.services) ports[name] = await reservePort(config, name, host);
    const first = await pool.start(module, { ...config, ports }, await opening);
    const { ports: open, models, examples } = first;
    pool.onDeath(onDeath);
    return { ports: open, models, examples, drain: () => pool.drain(config.drainDelayMs), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Finds out whether a port is free. Threads share a port by a socket option that would also admit a second process, so
 * the port is first opened without the option, which fails if another process uses it.
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

/** The data with which a thread is started. */
interface ThreadData {
  readonly config: Config;
  readonly first: boolean;
  /** What the first thread serves of the catalog, for the others. */
  readonly catalog: CatalogSnapshot | undefined;
  /** How it gets the store; undefined if none is wanted. */
  readonly store: StoreTicket | undefined;
  /** How it gets the tokenizers of the process, which take too much memory for one in each thread. */
  readonly tokenizers: MessagePort;
  /** The counts that the decoders of images share. */
  readonly decodeCounts: SharedArrayBuffer;
}

/** What a thread needs besides the settings. */
interface ThreadOptions extends Omit<ThreadData, 'config'> {
  readonly bus: Bus;
  /** Makes the first thread follow the catalog; undefined if this is the first one. */
  readonly follow: (() => Promise<void>) | undefined;
}

/** Serves in a worker until the main thread sends `stop`. */
export async function serveThread(
  parent: Parent,
  open: (config: Config, options: ThreadOptions) => Promise<ThreadService>,
): Promise<void> {
  const send = (event: WorkerEvent) => parent.send(event);
  const { config, ...data } = parent.data as ThreadData;
  const replies = new PendingReplies<Failure | undefined>();
  const ask = async (request: (number: number) => void) => {
    const failure = await replies.expect(request);
    if (failure !== undefined) throw fromFailure(failure);
  };
  const bus: Bus = {
    publish: (change) => ask((number) => send({ kind: 'publish', number, change })),
  };
  const follow = data.first ? undefined : () => ask((number) => send({ kind: 'follow', number }));
  try {
    const service = await open(config, { ...data, bus, follow });
    const leave = parent.onMessage((message) => {
      const command = message as WorkerCommand;
      if (command.kind === 'answered') replies.settle(command.number, command.failure);
      else if (command.kind === 'stop') void service.stop().then(leave);
      else {
        const { number } = command;
        void obey(service, command).then((vote) => send({ kind: 'done', number, vote }));
      }
    });
    const { ports, models, examples, catalog } = service;
    send({ kind: 'ready', ports, models, examples, state: service.state(), catalog });
  } catch (error) {
    send({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

/** The commands that a worker confirms when it has carried them out. */
type ConfirmedCommand = Extract<WorkerCommand, { kind: 'prepare' | 'finish' | 'follow' | 'drain' }>;

async function obey(service: ThreadService, command: ConfirmedCommand): Promise<Vote | undefined> {
  if (command.kind === 'prepare') return service.member.prepare(command.change);
  if (command.kind === 'finish') await service.member.finish(command.commit);
  else if (command.kind === 'follow') await service.follow();
  else await service.drain();
  return undefined;
}
