/** @module Requests as bytes: a request is decoded when its call has a permit, not when it arrives. */

import type { ServiceDefinition } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';
import { ServeError } from '../../../runtime/index.ts';

/** Field 3 of `ModelInferRequest`, of wire type 2. */
const ID_TAG = (3 << 3) | 2;

/** A request that has arrived and is not decoded yet. */
export class EncodedMessage<Message> {
  readonly #bytes: Buffer;
  readonly #decode: (bytes: Buffer) => Message;

  constructor(bytes: Buffer, decode: (bytes: Buffer) => Message) {
    this.#bytes = bytes;
    this.#decode = decode;
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  /** @throws {ServeError} `INVALID_ARGUMENT` where the bytes are not such a message. */
  decode(): Message {
    try {
      return this.#decode(this.#bytes);
    } catch (cause) {
      throw new ServeError('INVALID_ARGUMENT', 'The bytes of the request are not its message.', {
        cause,
      });
    }
  }

  /** The `id` of a `ModelInferRequest`, read without decoding the rest; '' where there is none. */
  inferRequestId(): string {
    try {
      const reader = protobuf.Reader.create(this.#bytes);
      while (reader.pos < reader.len) {
        const tag = reader.uint32();
        if (tag === ID_TAG) return reader.string();
        reader.skipType(tag & 7);
      }
    } catch {
      // These bytes are no message, so they have no id.
    }
    return '';
  }
}

/** The service with methods that receive `EncodedMessage`s. */
export function withEncodedMessages(service: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer) =>
        new EncodedMessage(bytes, method.requestDeserialize);
      return [name, { ...method, requestDeserialize }];
    }),
  );
}
