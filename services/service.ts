/** @module One thread's share of the prediction service, from its models to its open port and back. */

import {
  type Config,
  createRuntime,
  type Engine,
  type Host,
  type Log,
  type ModelStatus,
} from '../runtime/index.ts';
import { predictionApp } from './prediction/app.ts';

export interface Service {
  readonly port: number;
  readonly models: readonly ModelStatus[];
  /**
   * Refuses new requests, closes the port, waits for the answers on their way, then closes models and
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
  /** Whether other threads of this process listen on the same port. */
  readonly shared: boolean;
}

/**
 * Loads and warms the models, then opens the port.
 *
 * @throws {ServeError} `INVALID_CONFIG` or `PORT_TAKEN`
 */
export async function startService(parts: ServiceParts): Promise<Service> {
  const { config, engine, host, log, shared } = parts;
  try {
    const runtime = await createRuntime(config, engine, { log });
    const { fetch, posts } = predictionApp(runtime);
    const { host: hostname, port } = config;
    const listener = await host.listen({ hostname, port, shared, fetch, posts });
    return {
      port: listener.port,
      models: runtime.models(),
      async stop() {
        const drained = runtime.admission.drain();
        await Promise.all([drained, listener.stop()]);
        await runtime.close();
        await engine.close();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}
