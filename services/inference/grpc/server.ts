/** @module The protocol over gRPC: the same models and the same answers as over HTTP. */

import { join } from 'node:path';
import {
  type Server as GrpcServer,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  setLogger,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { HealthImplementation } from 'grpc-health-check';
import { listenError, type Runtime } from '../../../runtime/index.ts';
import type { OpenPort } from '../../http/service-definition.ts';
import { withEncodedMessages } from './encoded-message.ts';
import { methods } from './methods.ts';
import { OpenCalls } from './open-calls.ts';
import { reflection } from './reflection.ts';

const SERVICE = 'inference.GRPCInferenceService';

/** Fewest streams that one connection may have open: RFC 9113 recommends no smaller limit. */
const LEAST_STREAMS = 100;

/** A client that has vanished without a word is noticed after these: its streams would stay for good. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

/** How long a stop waits for clients to take their last responses, and to let go of their connections. */
const CLOSE_MS = 5000;

/**
 * Opens the port. In a process of several HTTP threads one of them does.
 *
 * @throws {ServeError} `PORT_TAKEN`
 */
export async function listenGrpc(
  runtime: Runtime,
  hostname: string,
  port: number,
): Promise<OpenPort> {
  // It would write to the error stream. What fails is told by the call that fails, so its own words are
  // for those who look for them.
  const quiet = (message: string) => runtime.log.debug({ library: 'grpc-js' }, message);
  setLogger({ error: quiet, info: quiet, debug: quiet });
  const root = join(import.meta.dirname, '../../..');
  const definition = loadSync('inference.proto', {
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
    includeDirs: [import.meta.dirname, join(root, 'runtime/repository')],
  });
  const calls = new OpenCalls();
  const { maxInFlight, maxRequestBytes } = runtime.config;
  const server = new Server({
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.max_send_message_length': -1,
    // A client keeps back what is more. Twice, so that streams which are idle leave room for requests.
    'grpc.max_concurrent_streams': Math.max(2 * maxInFlight, LEAST_STREAMS),
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    interceptors: [calls.interceptor(`/${SERVICE}/`)],
  });
  const service = withEncodedMessages(definition[SERVICE] as ServiceDefinition);
  server.addService(service, methods(runtime, calls));
  const health = new HealthImplementation({ '': 'SERVING', [SERVICE]: 'SERVING' });
  health.addToServer(server);
  reflection(definition).addToServer(server);
  const bound = await bind(server, hostname, port);
  return {
    port: bound,
    announceStop() {
      for (const name of ['', SERVICE]) health.setStatus(name, 'NOT_SERVING');
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      await calls.stop();
      const late = setTimeout(() => server.forceShutdown(), CLOSE_MS);
      await closed;
      clearTimeout(late);
    },
  };
}

function bind(server: GrpcServer, hostname: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const host = hostname.includes(':') ? `[${hostname}]` : hostname;
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(listenError(error, { hostname, port, setting: 'GRPC_PORT' }));
    });
  });
}
