/** @module The messages of the service as the server reads and writes them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { StrictReader } from './strict-reader.ts';

const FILES = ['inference.proto', '../../../runtime/repository/model-config.proto'];

/** Messages that a request may contain many times. */
const REPEATED = [
  'InferParameter',
  'InferTensorContents',
  'ModelInferRequest.InferInputTensor',
  'ModelInferRequest.InferRequestedOutputTensor',
  'ModelRepositoryParameter',
];

/**
 * Loads the types of the package `inference`. In them, `InferTensorContents` and the shapes of inputs hold bytes in place of
 * numbers: those of all elements as protobuf packs them, in one or several pieces. Floats are packed as they lie in memory,
 * so they need no decoding, and integers are decoded by `varints.ts`.
 */
export function loadSchema(): protobuf.Namespace {
  const root = new protobuf.Root();
  for (const file of FILES) {
    const source = readFileSync(join(import.meta.dirname, file), 'utf8');
    protobuf.parse(source, root, { keepCase: true });
  }
  const schema = root.lookup('inference', [protobuf.Namespace]) as protobuf.Namespace;
  const contents = schema.lookupType('InferTensorContents').fieldsArray;
  const { shape } = schema.lookupType('ModelInferRequest.InferInputTensor').fields;
  for (const field of [...contents, shape!]) field.type = 'bytes';
  for (const name of REPEATED) countMessages(schema.lookupType(name));
  return schema;
}

/** Makes the reader count the messages of a type, and not only their fields. */
function countMessages(type: protobuf.Type): void {
  const { decode } = type.setup();
  type.decode = function counted(...args) {
    const [reader] = args;
    if (reader instanceof StrictReader) reader.countMessage();
    return decode.apply(this, args);
  };
}
