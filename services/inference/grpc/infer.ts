/** @module ModelInfer and ModelStreamInfer: from a message to its answer. */

import type { ServerDuplexStream, ServerUnaryCall } from '@grpc/grpc-js';
import type { Caller, InferenceSteps, Runtime } from '../../../runtime/index.ts';
import { prepareInfer, type ResponseForm } from '../infer.ts';
import { toCodecRequest, toResponse } from './convert.ts';
import { readable } from './malformed.ts';
import type { ModelInferRequest, ModelInferResponse } from './messages.ts';
import { toStatus } from './status.ts';

/** A client's wish for an empty answer after the last, which only streams have. */
const FINAL = 'triton_enable_empty_final_response';

/** Requests of one stream that are taken before the answer to the first is written. */
const MOST_AT_ONCE = 256;

interface StreamResponse {
  readonly error_message: string;
  readonly infer_response?: ModelInferResponse;
}

/** What both kinds of calls have. */
interface Call {
  readonly cancelled: boolean;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
}

/** @throws {ServeError} */
export async function modelInfer(
  runtime: Runtime,
  call: ServerUnaryCall<ModelInferRequest, ModelInferResponse>,
): Promise<ModelInferResponse> {
  return infer(runtime, call.request, callerOf(call, cancelSignal(call)));
}

/**
 * Answers come in the order of the requests, which run side by side. A client that sends more than may be
 * under way is made to wait. A request that fails is answered by its error, and the stream goes on.
 */
export function modelStreamInfer(
  runtime: Runtime,
  call: ServerDuplexStream<ModelInferRequest, StreamResponse>,
): Promise<void> {
  const signal = cancelSignal(call);
  const most = Math.min(MOST_AT_ONCE, runtime.config.maxInFlight);
  let pending = 0;
  let written: Promise<void> = Promise.resolve();
  return new Promise((resolve) => {
    call.on('data', (message: ModelInferRequest) => {
      pending += 1;
      if (pending >= most) call.pause();
      const response = streamed(runtime, message, callerOf(call, signal)).catch(
        (error: unknown): StreamResponse => ({
          error_message: toStatus(error).details,
          // A client tells by the id which of its requests failed.
          infer_response: { ...EMPTY, id: message.id ?? '' },
        }),
      );
      written = written.then(async () => {
        const ready = await response;
        if (!signal.aborted && !call.write(ready)) await drained(call);
        pending -= 1;
        if (pending < most) call.resume();
      });
    });
    call.on('end', () => {
      void written.then(() => {
        call.end();
        resolve();
      });
    });
    call.on('cancelled', () => resolve());
    call.on('error', () => resolve());
  });
}

function drained(call: ServerDuplexStream<ModelInferRequest, StreamResponse>): Promise<void> {
  return new Promise((resolve) => {
    call.once('drain', resolve);
    call.once('close', () => resolve());
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

const marked = (response: ModelInferResponse): ModelInferResponse => ({
  ...response,
  parameters: { triton_final_response: { bool_param: true } },
});

async function streamed(
  runtime: Runtime,
  given: ModelInferRequest,
  caller: Caller,
): Promise<StreamResponse> {
  const message = readable(given);
  const { [FINAL]: final, ...parameters } = message.parameters;
  const answer = await infer(runtime, { ...message, parameters }, caller);
  return {
    error_message: '',
    infer_response: final?.bool_param === true ? marked(answer) : answer,
  };
}

const steps: InferenceSteps<ModelInferRequest, ResponseForm, ModelInferResponse> = {
  route: ({ model_name: model, model_version: version }) => ({
    model,
    version: version === '' ? undefined : version,
  }),
  prepare: (message) => prepareInfer(toCodecRequest(message)),
  respond(outcome, { inputs, raw_input_contents: raw }) {
    // Only what came in typed contents goes back in them: Triton's client reads raw outputs alone.
    const typed = raw.length === 0 && inputs.length > 0;
    return toResponse(outcome, !typed);
  },
};

async function infer(
  runtime: Runtime,
  message: ModelInferRequest,
  caller: Caller,
): Promise<ModelInferResponse> {
  const refusal = runtime.admission.acquire();
  if (refusal !== undefined) throw refusal;
  try {
    return (await runtime.infer(steps, message, caller)).response;
  } finally {
    runtime.admission.release();
  }
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
