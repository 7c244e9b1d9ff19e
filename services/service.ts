/** @module One thread's share of the services, from its models to its open ports and back. */

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Bus,
  type BusMember,
  type Config,
  createRuntime,
  type Engine,
  type Host,
  type Log,
  type ModelStatus,
  portSetting,
  type Runtime,
} from '../runtime/index.ts';
import { createServiceApp } from './http/create-service-app.ts';
import type { ExampleRequest, OpenPort, ServiceDefinition } from './http/service-definition.ts';
import { services } from './services.ts';

/** The open ports by service. */
export type Ports = Readonly<Record<string, number>>;

export interface Service {
  readonly ports: Ports;
  readonly models: readonly ModelStatus[];
  /** First requests to try, of the services that have one. */
  readonly examples: readonly (ExampleRequest & { readonly service: string })[];
  /**
   * Is not ready from now on, refuses requests after `DRAIN_DELAY_MS`, and resolves when those that were
   * taken are completed. The ports stay open, so that a client is told to go elsewhere.
   */
  drain(): Promise<void>;
  /** Closes the ports, then models and engine. To be called when `drain()` has resolved. */
  stop(): Promise<void>;
}

/** The share of one of several HTTP threads. */
export interface ThreadService extends Service {
  /** Makes changes of state in this thread. */
  readonly member: BusMember;
  /** Stands for what this thread serves; see `Runtime.state`. */
  state(): string;
}

export interface ServiceParts {
  readonly config: Config;
  /** Taken over: closed by `stop()`, and when the start fails. */
  readonly engine: Engine;
  readonly host: Host;
  readonly log: Log;
  /** Present where other threads of this process listen on the same ports: gives changes to all of them. */
  readonly bus?: Bus;
  /** False in every HTTP thread but the first: gRPC is spoken by one. */
  readonly first?: boolean;
}

interface NamedPort extends OpenPort {
  readonly name: string;
}

/**
 * Loads and warms the models, then opens the ports.
 *
 * @throws {ServeError} `INVALID_CONFIG` or `PORT_TAKEN`
 */
export async function startService(parts: ServiceParts): Promise<ThreadService> {
  const { config, engine } = parts;
  const opened: NamedPort[] = [];
  try {
    const runtime = await createRuntime(config, engine, parts);
    const running = services.filter(({ name }) => config.services.includes(name));
    for (const service of running) {
      opened.push(await openPort(parts, service, runtime));
      if (service.listenGrpc !== undefined && parts.first !== false) {
        const { host, ports } = config;
        opened.push({ name: 'grpc', ...(await service.listenGrpc(runtime, host, ports.grpc!)) });
      }
    }
    return {
      ports: Object.fromEntries(opened.map(({ name, port }) => [name, port])),
      models: runtime.models(),
      examples: running.flatMap(({ name, example }) => {
        const request = example?.(runtime);
        return request === undefined ? [] : [{ service: name, ...request }];
      }),
      member: runtime.member,
      state: runtime.state,
      async drain() {
        runtime.admission.announceDrain();
        for (const port of opened) port.announceStop?.();
        if (config.drainDelayMs > 0) await sleep(config.drainDelayMs);
        await runtime.drain();
      },
      async stop() {
        await Promise.all(opened.map((port) => port.stop()));
        await runtime.close();
        await engine.close();
      },
    };
  } catch (error) {
    await Promise.all(opened.map((port) => port.stop()));
    await engine.close();
    throw error;
  }
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
