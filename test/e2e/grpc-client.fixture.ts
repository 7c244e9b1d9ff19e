/**
 * A gRPC client in a process of its own. It takes a call as a line of JSON, and writes how the call ended. A call of
 * ModelStreamInfer ends for it with the first response, and `streamEnd` with the end of that stream.
 *
 * @module
 */

import process from 'node:process';
import { createInterface } from 'node:readline';
import type { ServiceError } from '@grpc/grpc-js';
import { connect } from '../services/inference/grpc-client.ts';

const client = connect(Number(process.argv[3]), process.argv[2]);
const write = (outcome: object) => process.stdout.write(`${JSON.stringify(outcome)}\n`);

let streamEnd: Promise<object> | undefined;

/** Opens a stream, which stays open, with one request. */
function openStream(message: object): Promise<object> {
  const stream = client.stream();
  streamEnd = new Promise((resolve) => {
    stream.on('end', () => resolve({ response: {} }));
    stream.on('error', (error: ServiceError) => resolve(toOutcome(error)));
  });
  stream.write(message);
  return new Promise((resolve) => stream.once('data', (response) => resolve({ response })));
}

const toOutcome = ({ code, details }: ServiceError) => ({ error: { code, details } });

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, message } = JSON.parse(line);
  if (method === 'ModelStreamInfer') {
    void openStream(message).then((outcome) => write({ id, ...outcome }));
  } else if (method === 'streamEnd') {
    void streamEnd?.then((outcome) => write({ id, ...outcome }));
  } else {
    client.call(method, message).then(
      (response) => write({ id, response }),
      (error: ServiceError) => write({ id, ...toOutcome(error) }),
    );
  }
}
client.close();
