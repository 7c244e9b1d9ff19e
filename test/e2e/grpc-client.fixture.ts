/** @module A gRPC client in a process of its own. It takes a call as a line of JSON, and writes how the call ended. */
import process from 'node:process';
import { createInterface } from 'node:readline';
import type { ServiceError } from '@grpc/grpc-js';
import { connect } from '../services/inference/grpc-client.ts';

const client = connect(Number(process.argv[3]), process.argv[2]);
const write = (outcome: object) => process.stdout.write(`${JSON.stringify(outcome)}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, message } = JSON.parse(line);
  client.call(method, message).then(
    (response) => write({ id, response }),
    ({ code, details }: ServiceError) => write({ id, error: { code, details } }),
  );
}
client.close();
