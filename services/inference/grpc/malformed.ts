/** @module Messages that are none: the library would call them a fault of the server. */

import type { ServiceDefinition } from '@grpc/grpc-js';
import { ServeError } from '../../../runtime/index.ts';

/** Stands in for a message that cannot be read. */
class Malformed {}

/** The service, which hands messages that cannot be read on to its methods. */
export function tolerant(service: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer): unknown => {
        try {
          return method.requestDeserialize(bytes);
        } catch {
          return new Malformed();
        }
      };
      return [name, { ...method, requestDeserialize }];
    }),
  );
}

/** @throws {ServeError} `INVALID_ARGUMENT` where it is no message. */
export function readable<Message>(message: Message): Message {
  if (!(message instanceof Malformed)) return message;
  throw new ServeError('INVALID_ARGUMENT', 'The bytes of the request are not its message.');
}
