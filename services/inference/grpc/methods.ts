/** @module The methods of the gRPC service, with the record of each call in the metrics and the log. */

import type { ServerUnaryCall, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { LoadOverride, Runtime } from '../../../runtime/index.ts';
import { isFault } from '../../http/error-response.ts';
import { requestIds } from '../../http/request-id.ts';
import { modelConfig, modelMetadata, serverMetadata } from '../metadata.ts';
import { loadModel, requireControl, toOverride } from '../repository.ts';
import { everyStatistics, statisticsOf } from '../statistics.ts';
import type { EncodedMessage } from './encoded-message.ts';
import {
  modelInfer,
  modelStreamInfer,
  type Record,
  type StreamCall,
  type UnaryCall,
} from './infer.ts';
import type { ModelRequest, RepositoryIndexRequest, RepositoryRequest } from './messages.ts';
import type { OpenCalls } from './open-calls.ts';
import { toStatus } from './status.ts';

export function methods(runtime: Runtime, calls: OpenCalls): UntypedServiceImplementation {
  const start = recorder(runtime);
  const requestId = requestIds();
  /** Implements a method with one request and one response. */
  const unary =
    <UnaryCall, Response>(
      name: string,
      respond: (call: UnaryCall) => Response | Promise<Response>,
    ) =>
    async (call: UnaryCall, reply: sendUnaryData<Response>) => {
      const record = start(name);
      calls.inFlight.hold();
      try {
        const response = await respond(call);
        record();
        reply(null, response);
      } catch (error) {
        record(error);
        reply(toStatus(error));
      } finally {
        calls.inFlight.release();
      }
    };
  const stream = (call: StreamCall) => {
    calls.inFlight.hold();
    const responses = modelStreamInfer(runtime, call, requestId, () => start('ModelStreamInfer'));
    const forget = calls.endOnStop((reason) => responses.finish(reason));
    call.on('close', () => {
      forget();
      calls.inFlight.release();
    });
  };
  const plain = Object.entries(modelMethods(runtime)).map(([name, respond]) => [
    name,
    unary(name, (call: ServerUnaryCall<EncodedMessage<never>, object>) =>
      call.request.decodedFor(runtime.bodies, respond),
    ),
  ]);
  return {
    ...Object.fromEntries(plain),
    ModelInfer: unary('ModelInfer', (call: UnaryCall) => modelInfer(runtime, call, requestId)),
    ModelStreamInfer: stream,
  };
}

/** Returns a function that starts timing a call, and returns the function that records the call's outcome. */
export function recorder({ clock, log, metrics }: Runtime) {
  return (method: string): Record => {
    const startedMs = clock.now();
    return (thrown, sent) => {
      const failure = thrown === undefined ? undefined : toStatus(thrown);
      const code = String(sent ?? failure?.code ?? 0);
      const series = metrics.grpc.series({ method, code, service: 'inference' });
      series.observe((clock.now() - startedMs) / 1000);
      if (failure !== undefined && isFault(failure.error)) {
        log.error({ method, err: failure.error }, 'failed');
      }
    };
  };
}

/** The methods that run no model, as functions from a request to its response. */
function modelMethods(runtime: Runtime) {
  const { repository, routes } = runtime;
  const target = ({ name: model, version }: ModelRequest) => ({
    model,
    version: version === '' ? undefined : version,
  });
  return {
    ServerLive: () => ({ live: true }),
    ServerReady: () => ({ ready: runtime.readyForV2() }),
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
    RepositoryIndex: async ({ ready }: RepositoryIndexRequest) => {
      const entries = await repository.index();
      return { models: entries.filter(({ state }) => !ready || state === 'READY') };
    },
    RepositoryModelLoad: async ({ model_name, parameters }: RepositoryRequest) => {
      requireControl(repository);
      await loadModel(repository, model_name, override(parameters));
      return {};
    },
    RepositoryModelUnload: async ({ model_name }: RepositoryRequest) => {
      requireControl(repository);
      await repository.unload(model_name);
      return {};
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
