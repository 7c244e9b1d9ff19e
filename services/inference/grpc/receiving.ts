/** @module Checks of a call before its handler: the caller, and the limits on its bytes and their time. */

import { Duplex } from 'node:stream';
import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import { BodyShare, type Runtime, ServeError } from '../../../runtime/index.ts';
import type { Record } from './infer.ts';
import { toStatus } from './status.ts';

/** Load balancers and kubelets, which have no credentials, call the methods of this service. */
const HEALTH = '/grpc.health.v1.Health/';

type Call = ConstructorParameters<typeof ServerInterceptingCall>[0];

/**
 * Authenticates callers before their messages are read, except for the health service. Bytes that have been
 * received and are not a complete message count against the byte budget, and a request that is not part of
 * a stream must be complete within `BODY_TIMEOUT_MS`.
 *
 * @param start Starts the record of a call that is refused.
 */
export function receiving(runtime: Runtime, start: (method: string) => Record): ServerInterceptor {
  const { bodies, config } = runtime;
  return (method, call) => {
    const { path } = method;
    const record = start(path.slice(path.lastIndexOf('/') + 1));
    const stream = streamOf(call);
    const share = new BodyShare(bodies);
    const refuse = (error: unknown) => {
      done();
      record(error);
      const { code, details } = toStatus(error);
      // The library keeps what it has received until the stream is closed, which a client may never do.
      stream?.once('finish', () => stream.destroy());
      call.sendStatus({ code, details, metadata: null });
    };
    const timer = method.requestStream
      ? undefined
      : setTimeout(() => refuse(tooSlow(config.bodyTimeoutMs)), config.bodyTimeoutMs);
    const onData = (data: Uint8Array) => {
      try {
        share.take(data.length);
      } catch (error) {
        refuse(error);
      }
    };
    function done(): void {
      clearTimeout(timer);
      stream?.off('data', onData);
      share.close();
    }
    stream?.on('data', onData);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, proceed) {
            const refusal = path.startsWith(HEALTH)
              ? undefined
              : refusalOf(runtime.access, metadata);
            if (refusal === undefined) proceed(metadata);
            else refuse(refusal);
          },
          onReceiveMessage(message, proceed) {
            // Requests of a stream run from here on, and count their bytes themselves.
            if (method.requestStream) share.give(share.held);
            proceed(message);
          },
          onReceiveHalfClose(proceed) {
            done();
            proceed();
          },
          onCancel: done,
        }),
    });
  };
}

function refusalOf(access: Runtime['access'], metadata: Metadata): ServeError | undefined {
  const get = (name: string) => metadata.get(name)[0]?.toString() ?? null;
  const principal = access.authenticate({ get });
  return principal instanceof ServeError ? principal : undefined;
}

const tooSlow = (timeoutMs: number) =>
  new ServeError('BODY_TIMEOUT', `The request was not received within ${timeoutMs} ms.`);

/** The HTTP/2 stream of a call, for which the library has no public name. */
function streamOf(call: Call): Duplex | undefined {
  return 'stream' in call && call.stream instanceof Duplex ? call.stream : undefined;
}
