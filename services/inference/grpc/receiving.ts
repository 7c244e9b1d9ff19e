/** @module Checks of a call before its handler: the caller, and the limits on its bytes and their time. */

import type { OutgoingHttpHeaders } from 'node:http2';
import { Duplex } from 'node:stream';
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { BodyShare, type Runtime, ServeError } from '../../../runtime/index.ts';
import type { Record } from './infer.ts';
import { toStatus } from './status.ts';

/** Load balancers and kubelets, which have no credentials, call the methods of this service. */
const HEALTH = '/grpc.health.v1.Health/';

/** What a frame counts beside its bytes, because the library keeps each frame of an incomplete message as an object. */
const FRAME_BYTES = 128;

/** How long the trailers of a call may take to be written, before its stream is closed. */
const TRAILERS_MS = 100;

type Call = ConstructorParameters<typeof ServerInterceptingCall>[0];

/**
 * Authenticates callers before their messages are read, except for the health service. Bytes that have been
 * received and are not a complete message count against the byte budget, and a message must be complete within
 * `BODY_TIMEOUT_MS`: that of a stream after its first bytes, any other after the start of its call.
 *
 * @param start Starts the record of a call that is refused.
 */
export function receiving(runtime: Runtime, start: (method: string) => Record): ServerInterceptor {
  return (method, call) => {
    const { path } = method;
    const record = start(path.slice(path.lastIndexOf('/') + 1));
    const received = new Receiving(runtime, call, method.requestStream, record);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            const refusal = path.startsWith(HEALTH)
              ? undefined
              : refusalOf(runtime.access, metadata);
            if (refusal === undefined) proceed(metadata);
            else received.refuse(refusal);
          },
          onReceiveMessage(message, proceed) {
            received.message();
            proceed(message);
          },
          onReceiveHalfClose(proceed) {
            received.complete();
            proceed();
          },
          onCancel: () => received.ended(),
        }),
    });
  };
}

/** What has been received of one call. */
class Receiving {
  readonly #call: Call;
  /** Whether a message may come at any time. */
  readonly #streaming: boolean;
  readonly #timeoutMs: number;
  readonly #record: Record;
  readonly #share: BodyShare;
  readonly #stream: Http2Stream | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasMessage = false;
  #complete = false;
  #recorded = false;

  constructor({ bodies, config }: Runtime, call: Call, streaming: boolean, record: Record) {
    this.#call = call;
    this.#streaming = streaming;
    this.#timeoutMs = config.bodyTimeoutMs;
    this.#record = record;
    this.#share = new BodyShare(bodies);
    this.#stream = streamOf(call);
    this.#stream?.on('data', this.#onData).once('close', () => this.#close());
    if (!streaming) this.#expect();
  }

  /** A message is passed on. Requests of a stream run from here on, and count their bytes themselves. */
  message(): void {
    this.#hasMessage = true;
    if (this.#streaming) this.#share.give(this.#share.held);
  }

  /** The client has half-closed the call. If there is a message, a handler gets it and records the end of the call. */
  complete(): void {
    this.#complete = this.#hasMessage;
    this.#close();
  }

  /** Ends the call with this error. */
  refuse(error: unknown): void {
    this.#recorded = true;
    this.#record(error);
    const { code, details } = toStatus(error);
    this.#closeStreamAfter(this.#timeoutMs);
    this.#call.sendStatus({ code, details, metadata: null });
  }

  /**
   * The call has got its status, or its client has cancelled it. The library keeps what it has received until the stream is
   * closed, which a client may never do.
   */
  ended(): void {
    const stream = this.#stream;
    if (stream === undefined || this.#complete) return;
    // The requests of a stream are recorded one by one.
    if (!this.#recorded && !this.#streaming) this.#record(undefined, sentStatus(stream));
    if (stream.destroyed) return;
    this.#closeStreamAfter(stream.writableFinished ? TRAILERS_MS : this.#timeoutMs);
    stream.once('finish', () => this.#closeStreamAfter(TRAILERS_MS));
  }

  #closeStreamAfter(ms: number): void {
    this.#stream?.off('data', this.#onData);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stream?.destroy(), ms);
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#stream?.off('data', this.#onData);
    this.#share.close();
  }

  readonly #onData = (data: Uint8Array): void => {
    try {
      this.#share.take(data.length + FRAME_BYTES);
    } catch (error) {
      this.refuse(error);
      return;
    }
    if (!this.#streaming) return;
    // The library, which has read the frame already, pauses the stream when a message is complete.
    if (this.#stream?.isPaused()) this.#forget();
    else this.#expect();
  };

  /** Sets a limit on the time until the message is complete. */
  #expect(): void {
    this.#timer ??= setTimeout(() => this.refuse(tooSlow(this.#timeoutMs)), this.#timeoutMs);
  }

  #forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function refusalOf(access: Runtime['access'], metadata: Metadata): ServeError | undefined {
  const get = (name: string) => metadata.get(name)[0]?.toString() ?? null;
  const principal = access.authenticate({ get });
  return principal instanceof ServeError ? principal : undefined;
}

const tooSlow = (timeoutMs: number) =>
  new ServeError('BODY_TIMEOUT', `The request was not received within ${timeoutMs} ms.`);

interface Http2Stream extends Duplex {
  readonly sentHeaders?: OutgoingHttpHeaders;
  readonly sentTrailers?: OutgoingHttpHeaders;
}

/** The status with which the library has ended a call. */
function sentStatus({ sentHeaders, sentTrailers }: Http2Stream): status {
  const sent = (sentTrailers ?? sentHeaders)?.['grpc-status'];
  return sent === undefined ? status.CANCELLED : Number(sent);
}

/** The HTTP/2 stream of a call, for which the library has no public name. */
function streamOf(call: Call): Http2Stream | undefined {
  return 'stream' in call && call.stream instanceof Duplex ? call.stream : undefined;
}
