/** @module Requests that have arrived as bytes. They are decoded when their call has a permit. */

import type { ServiceDefinition } from '@grpc/grpc-js';
import type protobuf from 'protobufjs';
import { type BodyBudget, BodyShare, ServeError } from '../../../runtime/index.ts';
import { MAX_VALUES, NotUtf8Error, StrictReader, TooManyValuesError } from './strict-reader.ts';

/** Field 3 of `ModelInferRequest`, of wire type 2. */
const ID_TAG = (3 << 3) | 2;

/** How messages are passed on: with all their fields, and 64-bit integers as strings. */
const PLAIN: protobuf.IConversionOptions = {
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
};

/** A request that was received and is not decoded yet. */
export class EncodedMessage<Message> {
  readonly #bytes: Buffer;
  readonly #type: protobuf.Type;

  constructor(bytes: Buffer, type: protobuf.Type) {
    this.#bytes = bytes;
    this.#type = type;
  }

  /**
   * Decodes the message for `use`. Its bytes, and what `use` takes, count against the byte budget until `use` has ended.
   *
   * @throws {ServeError}
   */
  async decodedFor<Result>(
    bodies: BodyBudget,
    use: (message: Message, share: BodyShare) => Result | Promise<Result>,
  ): Promise<Result> {
    const share = new BodyShare(bodies);
    try {
      share.take(this.#bytes.length);
      return await use(this.#decode(), share);
    } finally {
      share.close();
    }
  }

  #decode(): Message {
    const type = this.#type;
    try {
      return type.toObject(type.decode(new StrictReader(this.#bytes)), PLAIN) as Message;
    } catch (cause) {
      if (cause instanceof NotUtf8Error) {
        throw new ServeError(
          'INVALID_ARGUMENT',
          'A name, an id or another string of the request is not valid UTF-8: send it as UTF-8, and other bytes as BYTES elements.',
          { cause },
        );
      }
      if (cause instanceof TooManyValuesError) {
        throw new ServeError(
          'PAYLOAD_TOO_LARGE',
          `The request has more fields than the ${MAX_VALUES} that are taken, of which inputs, outputs and parameters count several: send large tensors in raw_input_contents.`,
          { cause },
        );
      }
      throw new ServeError('INVALID_ARGUMENT', 'The bytes of the request are not its message.', {
        cause,
      });
    }
  }

  /** The `id` of a `ModelInferRequest`, read without decoding the rest; '' if there is no id. */
  inferRequestId(): string {
    try {
      const reader = new StrictReader(this.#bytes);
      while (reader.pos < reader.len) {
        const tag = reader.uint32();
        if (tag === ID_TAG) return reader.string();
        reader.skipType(tag & 7);
      }
    } catch {
      // The bytes are not a message, or its id is not UTF-8: the response has no id then.
    }
    return '';
  }
}

/** Returns the service with methods that receive `EncodedMessage`s, and whose messages are those of the schema. */
export function withEncodedMessages(
  service: ServiceDefinition,
  schema: protobuf.Namespace,
): ServiceDefinition {
  const { methods } = schema.lookupService('GRPCInferenceService');
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const { requestType, responseType } = methods[name]!;
      const request = schema.lookupType(requestType);
      const response = schema.lookupType(responseType);
      const requestDeserialize = (bytes: Buffer) => new EncodedMessage(bytes, request);
      const responseSerialize = (message: object) => {
        const { buffer, byteOffset, length } = response
          .encode(response.fromObject(message))
          .finish();
        return Buffer.from(buffer, byteOffset, length);
      };
      return [name, { ...method, requestDeserialize, responseSerialize }];
    }),
  );
}
