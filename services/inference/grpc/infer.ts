/** @module Serves ModelInfer and ModelStreamInfer, from a request to its response. */

import {
  Metadata,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type status,
} from '@grpc/grpc-js';
import {
  type BodyShare,
  type Caller,
  type HeaderReader,
  type InferenceSteps,
  type Principal,
  type Runtime,
  ServeError,
} from '../../../runtime/index.ts';
import { headerText } from '../../http/header-text.ts';
import { prepareImages, sendsFiles } from '../images.ts';
import { prepareInfer, type ResponseForm } from '../infer.ts';
import { toCodecRequest, toParameters, toResponse } from './convert.ts';
import type { EncodedMessage } from './encoded-message.ts';
import type { ModelInferRequest, ModelInferResponse } from './messages.ts';
import { toStatus } from './status.ts';
import { ResponseStream } from './stream.ts';

/** Maximum requests of one stream that are accepted before the response to the first one is written. */
const MAX_AT_ONCE = 256;

type EncodedRequest = EncodedMessage<ModelInferRequest>;

export type UnaryCall = ServerUnaryCall<EncodedRequest, ModelInferResponse>;
export type StreamCall = ServerDuplexStream<EncodedRequest, StreamResponse>;

interface StreamResponse {
  readonly error_message: string;
  readonly infer_response?: ModelInferResponse;
}

/** Records the outcome of one request: the error that was thrown, or undefined; or the status that the library has sent. */
export type Record = (thrown?: unknown, sent?: status) => void;

/** Returns the id of a request: the one that its client gives if it is valid, otherwise a new one. */
export type RequestId = (given: string | null) => string;

/** @throws {ServeError} */
export async function modelInfer(
  runtime: Runtime,
  call: UnaryCall,
  requestId: RequestId,
): Promise<ModelInferResponse> {
  const caller = new CallCaller(runtime, call, call.request, cancelSignal(call), requestId);
  try {
    return await infer(runtime, call.request, caller);
  } finally {
    const metadata = caller.responseMetadata();
    if (metadata !== undefined) call.sendMetadata(metadata);
  }
}

/**
 * Serves the requests of a stream. The response to a request that fails is its error, and the stream goes on.
 *
 * @param start Called for each request.
 */
export function modelStreamInfer(
  runtime: Runtime,
  call: StreamCall,
  requestId: RequestId,
  start: () => Record,
): ResponseStream<EncodedRequest, StreamResponse> {
  const signal = cancelSignal(call);
  const most = Math.min(MAX_AT_ONCE, runtime.config.maxInFlight);
  return new ResponseStream<EncodedRequest, StreamResponse>(call, most, async (message) => {
    const record = start();
    // A client sees by the id which of its requests failed. A failed run may have freed the bytes.
    const id = message.inferRequestId();
    try {
      const caller = new CallCaller(runtime, call, message, signal, requestId);
      const response = await infer(runtime, message, caller);
      record();
      return { error_message: '', infer_response: response };
    } catch (error) {
      record(error);
      return { error_message: toStatus(error).details, infer_response: { ...EMPTY, id } };
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

type Steps = InferenceSteps<ModelInferRequest, ResponseForm, ModelInferResponse>;

const stepsWith = ({ imageTools: tools }: Runtime, share: BodyShare, waiter: Caller): Steps => ({
  route: ({ model_name: model, model_version: version }) => ({
    model,
    version: version === '' ? undefined : version,
  }),
  body: ({ id, parameters }) => ({ id, parameters: toParameters(parameters) }),
  prepare(message, version) {
    const prepared = prepareInfer(toCodecRequest(message, share));
    if (!sendsFiles(version, prepared)) return prepared;
    const sender = { share, signal: waiter.signal, timeLeft: () => waiter.timeLeft() };
    return prepareImages(version, prepared, { tools, sender, isText: () => false });
  },
  respond: (outcome, message) => toResponse(message, outcome),
});

/**
 * Serves one request of either method. It is decoded after it has a permit and its share of the byte budget.
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
  try {
    return await encoded.decodedFor(
      bodies,
      async (message, share) =>
        (await runtime.infer(stepsWith(runtime, share, caller), message, caller)).response,
    );
  } finally {
    admission.release();
  }
}

/** The part of a call that unary calls and streams have in common. */
interface Call {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getDeadline(): Date | number;
  on(event: 'cancelled', listener: () => void): unknown;
}

/** The client that waits for the response to one request of a call. */
class CallCaller implements Caller {
  readonly signal: AbortSignal;
  readonly headers: HeaderReader;
  modelVersion: string | undefined;
  readonly #runtime: Runtime;
  readonly #call: Call;
  readonly #request: EncodedRequest;
  readonly #requestId: RequestId;
  #id: string | undefined;

  constructor(
    runtime: Runtime,
    call: Call,
    request: EncodedRequest,
    signal: AbortSignal,
    requestId: RequestId,
  ) {
    this.#runtime = runtime;
    this.#call = call;
    this.#request = request;
    this.signal = signal;
    this.#requestId = requestId;
    this.headers = { get: (name) => call.metadata.get(name)[0]?.toString() ?? null };
  }

  /** The id in the request or, of a unary call, in its metadata. Only few requests need one, so it is read late. */
  get id(): string {
    this.#id ??= this.#requestId(
      this.#request.inferRequestId() || this.headers.get('x-request-id'),
    );
    return this.#id;
  }

  /** Found anew for each request, because a stream may outlive the credentials with which it was opened. */
  get principal(): Principal {
    const principal = this.#runtime.access.authenticate(this.headers);
    if (principal instanceof ServeError) throw principal;
    return principal;
  }

  timeLeft(): number | undefined {
    const deadline = Number(this.#call.getDeadline());
    return Number.isFinite(deadline) ? Math.max(deadline - Date.now(), 0) : undefined;
  }

  /** What headers say over HTTP about a request that a route has given to a version; undefined for any other. */
  responseMetadata(): Metadata | undefined {
    if (this.modelVersion === undefined) return undefined;
    const metadata = new Metadata();
    metadata.set('x-request-id', this.id);
    metadata.set('x-model-version', headerText(this.modelVersion));
    return metadata;
  }
}

function cancelSignal(call: Call): AbortSignal {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort());
  if (call.cancelled) controller.abort();
  return controller.signal;
}
