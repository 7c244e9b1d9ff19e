/** @module The gRPC server of the protocol, with the same models and responses as over HTTP. */

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
import { methods, recorder } from './methods.ts';
import { OpenCalls } from './open-calls.ts';
import { receiving } from './receiving.ts';
import { reflection } from './reflection.ts';
import { loadSchema } from './schema.ts';

const SERVICE = 'inference.GRPCInferenceService';

/** Lower bound of the limit on open streams of one connection. RFC 9113 recommends no smaller limit. */
const MIN_STREAMS = 100;

/** A client that no longer exists is noticed after these times. Otherwise its streams would stay open for good. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

/** How long a stop waits until clients have received their last responses and closed their connections. */
const CLOSE_MS = 5000;

/**
 * Opens the port. In a process of several HTTP threads, one of them calls this.
 *
 * @throws {ServeError} `LISTEN_FAILED`
 */
export async function listenGrpc(
  runtime: Runtime,
  hostname: string,
  port: number,
): Promise<OpenPort> {
  // The library would write to the error stream. A call that fails reports its error, so these messages are only for
  // debugging.
  const quiet = (message: string) => runtime.log.debug({ library: 'grpc-js' }, message);
  setLogger({ error: quiet, info: quiet, debug: quiet });
  const root = join(import.meta.dirname, '../../..');
  const definition = loadSync('inference.proto', {
    keepCase: true,
    includeDirs: [import.meta.dirname, join(root, 'runtime/repository')],
  });
  const calls = new OpenCalls();
  const { maxInFlight, maxRequestBytes } = runtime.config;
  const server = new Server({
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.max_send_message_length': -1,
    // Clients queue further calls. The limit is twice MAX_IN_FLIGHT, so that idle streams do not block unary calls.
    'grpc.max_concurrent_streams': Math.max(2 * maxInFlight, MIN_STREAMS),
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    interceptors: [receiving(runtime, recorder(runtime)), calls.interceptor(`/${SERVICE}/`)],
  });
  const service = withEncodedMessages(definition[SERVICE] as ServiceDefinition, loadSchema());
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
