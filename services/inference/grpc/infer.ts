/** @module ModelInfer and ModelStreamInfer: from a request to its response. */

import type { ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js';
import {
  BodyShare,
  type Caller,
  type InferenceSteps,
  type Runtime,
} from '../../../runtime/index.ts';
import { prepareInfer, type ResponseForm } from '../infer.ts';
import { toCodecRequest, toResponse } from './convert.ts';
import type { EncodedMessage } from './encoded-message.ts';
import type { ModelInferRequest, ModelInferResponse } from './messages.ts';
import { toStatus } from './status.ts';
import { ResponseStream } from './stream.ts';

/** Most requests of one stream that are taken before the response to the first is written. */
const MOST_AT_ONCE = 256;

type EncodedRequest = EncodedMessage<ModelInferRequest>;

export type UnaryCall = ServerUnaryCall<EncodedRequest, ModelInferResponse>;
export type StreamCall = ServerDuplexStream<EncodedRequest, StreamResponse>;

interface StreamResponse {
  readonly error_message: string;
  readonly infer_response?: ModelInferResponse;
}

/** Records the outcome of one request: what was thrown, or undefined. */
export type Record = (thrown?: unknown) => void;

/** @throws {ServeError} */
export function modelInfer(runtime: Runtime, call: UnaryCall): Promise<ModelInferResponse> {
  return infer(runtime, call.request, callerOf(call, cancelSignal(call)));
}

/**
 * A request that fails is answered with its error, and the stream goes on.
 *
 * @param start Called when a request arrives.
 */
export function modelStreamInfer(
  runtime: Runtime,
  call: StreamCall,
  start: () => Record,
): ResponseStream<EncodedRequest, StreamResponse> {
  const caller = callerOf(call, cancelSignal(call));
  const most = Math.min(MOST_AT_ONCE, runtime.config.maxInFlight);
  return new ResponseStream<EncodedRequest, StreamResponse>(call, most, async (message) => {
    const record = start();
    try {
      const response = await infer(runtime, message, caller);
      record();
      return { error_message: '', infer_response: response };
    } catch (error) {
      record(error);
      // A client sees by the id which of its requests failed.
      const failed = { ...EMPTY, id: message.inferRequestId() };
      return { error_message: toStatus(error).details, infer_response: failed };
    }
  });
}

const EMPTY: ModelInferResponse = {
  model_name: '',
  model_version: '',
  id: '',
  parameters: {},
  outputs: [],
  raw_output_contents: [],
};

const steps: InferenceSteps<ModelInferRequest, ResponseForm, ModelInferResponse> = {
  route: ({ model_name: model, model_version: version }) => ({
    model,
    version: version === '' ? undefined : version,
  }),
  prepare: (message) => prepareInfer(toCodecRequest(message)),
  respond: (outcome, message) => toResponse(message, outcome),
};

/**
 * One request of either method. Its permit, and its share of the bytes that all bodies may have, are taken
 * before it is decoded.
 *
 * @throws {ServeError}
 */
async function infer(
  runtime: Runtime,
  encoded: EncodedRequest,
  caller: Caller,
): Promise<ModelInferResponse> {
  const { admission, bodies } = runtime;
  const refusal = admission.acquire();
  if (refusal !== undefined) throw refusal;
  const share = new BodyShare(bodies);
  try {
    share.take(encoded.byteLength);
    return (await runtime.infer(steps, encoded.decode(), caller)).response;
  } finally {
    share.close();
    admission.release();
  }
}

/** What both kinds of calls have. */
interface Call {
  readonly cancelled: boolean;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
}

function callerOf(call: Call, signal: AbortSignal): Caller {
  return {
    signal,
    timeLeft() {
      const deadline = Number(call.getDeadline());
      return Number.isFinite(deadline) ? Math.max(deadline - Date.now(), 0) : undefined;
    },
  };
}

function cancelSignal(call: Call): AbortSignal {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort());
  if (call.cancelled) controller.abort();
  return controller.signal;
}
