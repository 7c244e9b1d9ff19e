/** @module One thread's share of the services, from its models to its open ports and back. */

import {
  type Config,
  createRuntime,
  type Engine,
  type Host,
  type Log,
  type ModelStatus,
  type PortName,
  portSetting,
  type RepositoryChange,
  type Runtime,
  type ServiceName,
} from '../runtime/index.ts';
import type { ServiceApp } from './http/service-app.ts';
import { inferenceApp } from './inference/app.ts';
import { predictionApp } from './prediction/app.ts';

const apps: Readonly<Record<ServiceName, (runtime: Runtime) => ServiceApp>> = {
  prediction: predictionApp,
  inference: inferenceApp,
};

/** The open ports by service. */
export type Ports = Readonly<Partial<Record<PortName, number>>>;

export interface Service {
  readonly ports: Ports;
  readonly models: readonly ModelStatus[];
  /** A change of the repository that was made in another thread. */
  follow(change: RepositoryChange): Promise<void>;
  /**
   * Refuses new requests, closes the ports, waits for the answers on their way, then closes models and
   * engine.
   */
  stop(): Promise<void>;
}

export interface ServiceParts {
  readonly config: Config;
  /** Taken over: closed by `stop()`, and when the start fails. */
  readonly engine: Engine;
  readonly host: Host;
  readonly log: Log;
  /** Present where other threads of this process listen on the same ports: tells them of a change. */
  readonly announce?: ((change: RepositoryChange) => Promise<void>) | undefined;
  /** False in every HTTP thread but the first: gRPC is spoken by one. */
  readonly first?: boolean;
}

/** An open port, whatever is spoken there. */
interface Open {
  readonly name: PortName;
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Loads and warms the models, then opens the ports.
 *
 * @throws {ServeError} `INVALID_CONFIG` or `PORT_TAKEN`
 */
export async function startService(parts: ServiceParts): Promise<Service> {
  const { config, engine, log, announce } = parts;
  const opened: Open[] = [];
  try {
    const runtime = await createRuntime(config, engine, announce ? { log, announce } : { log });
    for (const name of config.services) opened.push(await openPort(parts, name, runtime));
    if (config.services.includes('inference') && parts.first !== false) {
      opened.push(await openGrpc(config, runtime));
    }
    return {
      ports: Object.fromEntries(opened.map(({ name, port }) => [name, port])),
      models: runtime.models(),
      follow: (change) => runtime.repository.follow(change),
      async stop() {
        const drained = runtime.admission.drain();
        await Promise.all([drained, ...opened.map((port) => port.stop())]);
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

/** Loaded only where it is served: the library takes time and memory. */
async function openGrpc({ host, ports }: Config, runtime: Runtime): Promise<Open> {
  const { listenGrpc } = await import('./inference/grpc/server.ts');
  const { port, stop } = await listenGrpc(runtime, host, ports.grpc);
  return { name: 'grpc', port, stop };
}

async function openPort(parts: ServiceParts, name: ServiceName, runtime: Runtime): Promise<Open> {
  const { config, host, announce } = parts;
  const { fetch, fastRoutes } = apps[name](runtime);
  const { host: hostname, ports } = config;
  const shared = announce !== undefined;
  const setting = portSetting(name, config);
  const listener = await host.listen({
    hostname,
    port: ports[name],
    setting,
    shared,
    fetch,
    fastRoutes,
  });
  return { name, port: listener.port, stop: () => listener.stop() };
}
