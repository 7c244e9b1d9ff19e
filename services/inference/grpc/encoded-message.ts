/** @module Requests that have arrived as bytes. They are decoded when their call has a permit. */

import type { ServiceDefinition } from '@grpc/grpc-js';
import type protobuf from 'protobufjs/minimal.js';
import { type BodyBudget, BodyShare, ServeError } from '../../../runtime/index.ts';
import {
  LONG_VALUES,
  MAX_VALUES,
  NotUtf8Error,
  StrictReader,
  TooManyValuesError,
} from './strict-reader.ts';

/** Field 3 of `ModelInferRequest`, of wire type 2. */
const ID_TAG = (3 << 3) | 2;

/** Decodes a request. The functions of the schema loader accept a reader too, though their type names only bytes. */
interface RequestDecoder<Message> {
  requestDeserialize(source: Buffer | protobuf.Reader): Message;
}

/** A request that was received and is not decoded yet. */
export class EncodedMessage<Message> {
  readonly #bytes: Buffer;
  readonly #decoder: RequestDecoder<Message>;

  constructor(bytes: Buffer, decoder: RequestDecoder<Message>) {
    this.#bytes = bytes;
    this.#decoder = decoder;
  }

  /**
   * Decodes the message for `use`. Its bytes count against the byte budget until `use` has ended.
   *
   * @throws {ServeError}
   */
  async decodedFor<Result>(
    bodies: BodyBudget,
    use: (message: Message) => Result | Promise<Result>,
  ): Promise<Result> {
    const share = new BodyShare(bodies);
    try {
      share.take(this.#bytes.length);
      return await use(this.#decode());
    } finally {
      share.close();
    }
  }

  #decode(): Message {
    try {
      return this.#decoder.requestDeserialize(new StrictReader(this.#bytes));
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
          `The request has more than ${MAX_VALUES} fields and typed elements, of which 64-bit integers count ${LONG_VALUES}: send large tensors in raw_input_contents.`,
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

/** Returns the service with methods that receive `EncodedMessage`s. */
export function withEncodedMessages(service: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer) => new EncodedMessage(bytes, method);
      return [name, { ...method, requestDeserialize }];
    }),
  );
}
