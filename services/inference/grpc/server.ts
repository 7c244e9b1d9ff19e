/** @module The protocol over gRPC: the same models and the same answers as over HTTP. */

import { join } from 'node:path';
import {
  type Server as GrpcServer,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  setLogger,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { HealthImplementation } from 'grpc-health-check';
import { type LoadOverride, type Runtime, ServeError } from '../../../runtime/index.ts';
import { isFault } from '../../http/error-response.ts';
import { modelConfig, modelMetadata, serverMetadata } from '../metadata.ts';
import { controlAllowed, loadModel, toOverride } from '../repository.ts';
import { everyStatistics, statisticsOf } from '../statistics.ts';
import { modelInfer, modelStreamInfer } from './infer.ts';
import { readable, tolerant } from './malformed.ts';
import type { ModelRequest, RepositoryIndexRequest, RepositoryRequest } from './messages.ts';
import { reflection } from './reflection.ts';
import { toStatus } from './status.ts';

/** An open gRPC port. */
export interface GrpcListener {
  readonly port: number;
  /** Takes no more calls, and resolves when the last one is answered. */
  stop(): Promise<void>;
}

const SERVICE = 'inference.GRPCInferenceService';

/**
 * Opens the port. In a process of several HTTP threads one of them does.
 *
 * @throws {ServeError} `PORT_TAKEN`
 */
export async function listenGrpc(
  runtime: Runtime,
  hostname: string,
  port: number,
): Promise<GrpcListener> {
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
  const server = new Server({
    'grpc.max_receive_message_length': runtime.config.maxRequestBytes,
    'grpc.max_send_message_length': -1,
  });
  server.addService(tolerant(definition[SERVICE] as ServiceDefinition), handlers(runtime));
  const health = new HealthImplementation({ '': 'SERVING', [SERVICE]: 'SERVING' });
  health.addToServer(server);
  reflection(definition).addToServer(server);
  const bound = await bind(server, hostname, port);
  return {
    port: bound,
    async stop() {
      for (const name of ['', SERVICE]) health.setStatus(name, 'NOT_SERVING');
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    },
  };
}

function bind(server: GrpcServer, hostname: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${hostname}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else {
        reject(
          new ServeError(
            'PORT_TAKEN',
            `Port ${port} is already in use; stop the process that holds it or write another number in GRPC_PORT.`,
            { cause: error },
          ),
        );
      }
    });
  });
}

function handlers(runtime: Runtime): UntypedServiceImplementation {
  const { log, metrics, repository } = runtime;
  /** Counts a call by its outcome, and tells of faults. */
  const record = (method: string, startedMs: number, thrown?: unknown) => {
    const { code, error } = thrown === undefined ? { code: 0, error: undefined } : toStatus(thrown);
    const seconds = (runtime.clock.now() - startedMs) / 1000;
    metrics.observe(metrics.grpcSeries(method, code), seconds);
    if (error !== undefined && isFault(error)) log.error({ method, err: error }, 'failed');
  };
  const unary =
    <Message, Answer>(
      method: string,
      answer: (
        request: Message,
        call: ServerUnaryCall<Message, Answer>,
      ) => Answer | Promise<Answer>,
    ) =>
    async (call: ServerUnaryCall<Message, Answer>, reply: sendUnaryData<Answer>) => {
      const startedMs = runtime.clock.now();
      try {
        const value = await answer(readable(call.request), call);
        record(method, startedMs);
        reply(null, value);
      } catch (error) {
        record(method, startedMs, error);
        reply(toStatus(error));
      }
    };
  const { routes } = runtime;
  const target = ({ name: model, version }: ModelRequest) => ({
    model,
    version: version === '' ? undefined : version,
  });
  const methods = {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: runtime.ready('v2') }),
    ServerMetadata: () => serverMetadata(),
    ModelReady: (request: ModelRequest) => ({ ready: routes.isReady(target(request)) }),
    ModelMetadata: (request: ModelRequest) => {
      const named = target(request);
      return modelMetadata(routes.model(named), routes.describe(named));
    },
    ModelConfig: (request: ModelRequest) => {
      const named = target(request);
      return { config: modelConfig(routes.model(named), routes.describe(named)) };
    },
    ModelStatistics: (request: ModelRequest) => ({
      model_stats:
        request.name === '' ? everyStatistics(runtime) : statisticsOf(runtime, target(request)),
    }),
    RepositoryIndex: ({ ready }: RepositoryIndexRequest) => ({
      models: repository.index().filter(({ state }) => !ready || state === 'READY'),
    }),
    RepositoryModelLoad: async ({ model_name, parameters }: RepositoryRequest) => {
      controlAllowed(repository);
      await loadModel(repository, model_name, override(parameters));
      return {};
    },
    RepositoryModelUnload: async ({ model_name }: RepositoryRequest) => {
      controlAllowed(repository);
      await repository.unload(model_name);
      return {};
    },
  };
  return {
    ...Object.fromEntries(
      Object.entries(methods).map(([name, answer]) => [name, unary(name, answer as never)]),
    ),
    ModelInfer: unary('ModelInfer', (_request, call) => modelInfer(runtime, call as never)),
    ModelStreamInfer: (call: Parameters<typeof modelStreamInfer>[1]) => {
      const startedMs = runtime.clock.now();
      void modelStreamInfer(runtime, call).then(() => record('ModelStreamInfer', startedMs));
    },
  };
}

function override(parameters: RepositoryRequest['parameters']): LoadOverride | undefined {
  const given = Object.entries(parameters).map(([name, parameter]) => [
    name,
    parameter[parameter.parameter_choice],
  ]);
  return given.length === 0 ? undefined : toOverride(Object.fromEntries(given));
}
