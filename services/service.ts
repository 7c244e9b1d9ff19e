/** @module Starts and stops the services in one thread: models and ports. */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Bus,
  type BusMember,
  type CatalogSnapshot,
  type Config,
  createRuntime,
  type Engine,
  type Host,
  type Log,
  type ModelStatus,
  type Probe,
  portSetting,
  type Runtime,
  type Store,
  type Tokenizers,
} from '../runtime/index.ts';
import { createServiceApp } from './http/create-service-app.ts';
import type { ExampleRequest, OpenPort, ServiceDefinition } from './http/service-definition.ts';
import { services } from './services.ts';

/** The open ports by the name of the service; that of gRPC is `grpc`. */
export type Ports = Readonly<Record<string, number>>;

export interface Service {
  readonly ports: Ports;
  readonly models: readonly ModelStatus[];
  /** The example requests of the services that have one. */
  readonly examples: readonly (ExampleRequest & { readonly service: string })[];
  /**
   * Makes the service unready, refuses requests after `DRAIN_DELAY_MS`, and resolves when the accepted ones are
   * completed. The ports stay open, so that clients get a 503 instead of a refused connection.
   */
  drain(): Promise<void>;
  /** Closes the ports, then models and engine. Must be called after `drain()` has resolved. */
  stop(): Promise<void>;
}

/** The services in one of several HTTP threads. */
export interface ThreadService extends Service {
  /** Applies changes of state in this thread. */
  readonly member: BusMember;
  /** Identifies what this thread serves; see `Runtime.state`. */
  state(): string;
  /** What of the catalog this thread has served from its start. */
  readonly catalog: CatalogSnapshot | undefined;
  /** Resolves when all threads serve what the catalog has now; see `Platform.followed`. */
  follow(): Promise<void>;
}

export interface ServiceParts {
  readonly config: Config;
  /** Owned by the service: closed by `stop()`, or if the start fails. */
  readonly engine: Engine;
  readonly host: Host;
  readonly log: Log;
  /** The store of the platform; undefined if none is wanted. Owned by the service as the engine is. */
  readonly store?: Promise<Store> | undefined;
  /** Tries a version before it is registered. */
  readonly probe?: Probe | undefined;
  /** Publishes changes to all threads; undefined if this is the only one. */
  readonly bus?: Bus;
  /** Whether this is the first HTTP thread, which also serves gRPC and polls the repository. */
  readonly first: boolean;
  /** The tokenizers of the process; undefined if this is the only thread. */
  readonly tokenizers?: Tokenizers;
  /** The counts that the decoders of images in all threads share; undefined if this is the only thread. */
  readonly decodeCounts?: SharedArrayBuffer;
  /** What the first thread serves of the catalog, for the others. */
  readonly catalog?: CatalogSnapshot | undefined;
  /** Makes the first thread follow the catalog, for the others. */
  readonly follow?: (() => Promise<void>) | undefined;
}

interface NamedPort extends OpenPort {
  readonly name: string;
}

/**
 * Loads and warms the models, then opens the ports.
 *
 * @throws {ServeError} `INVALID_CONFIG`, `LISTEN_FAILED` or `STORE_UNAVAILABLE`
 */
export async function startService(parts: ServiceParts): Promise<ThreadService> {
  const { config, engine, store } = parts;
  const opened: NamedPort[] = [];
  let runtime: Runtime | undefined;
  const stop = async () => {
    await Promise.all(opened.map((port) => port.stop()));
    await runtime?.close();
    await engine.close();
    await (await store?.catch(() => undefined))?.close();
  };
  try {
    runtime = await createRuntime(config, engine, parts);
    const running = services.filter(({ name }) => config.services.includes(name));
    for (const service of running) {
      opened.push(await openPort(parts, service, runtime));
      if (service.listenGrpc !== undefined && parts.first) {
        const { host, ports } = config;
        opened.push({ name: 'grpc', ...(await service.listenGrpc(runtime, host, ports.grpc!)) });
      }
    }
    return describe(runtime, running, opened, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

function describe(
  runtime: Runtime,
  running: readonly ServiceDefinition[],
  opened: readonly NamedPort[],
  stop: () => Promise<void>,
): ThreadService {
  const { config, member, state, catalog } = runtime;
  return {
    ports: Object.fromEntries(opened.map(({ name, port }) => [name, port])),
    models: runtime.models(),
    examples: running.flatMap(({ name, example }) => {
      const request = example?.(runtime);
      return request === undefined ? [] : [{ service: name, ...request }];
    }),
    ...{ member, state, catalog },
    follow: async () => runtime.platform?.followed(),
    async drain() {
      runtime.admission.announceDrain();
      for (const port of opened) port.announceStop?.();
      if (config.drainDelayMs > 0) await sleep(config.drainDelayMs);
      await runtime.drain();
    },
    stop,
  };
}

async function openPort(
  { config, host, bus }: ServiceParts,
  service: ServiceDefinition,
  runtime: Runtime,
): Promise<NamedPort> {
  const { name } = service;
  const { fetch, fastRoutes } = createServiceApp(runtime, service);
  const listener = await host.listen({
    hostname: config.host,
    port: config.ports[name]!,
    setting: portSetting(name, config),
    idleTimeoutSecs: config.idleTimeoutSecs,
    shared: bus !== undefined,
    fetch,
    fastRoutes,
  });
  return { name, port: listener.port, stop: () => listener.stop() };
}
