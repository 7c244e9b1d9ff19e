/** @module The reflection service, which describes the messages of the protocol and of health to clients without the schema. */

import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath as healthSchema } from 'grpc-health-check';
import descriptor, {
  type IDescriptorProto,
  type IFileDescriptorProto,
} from 'protobufjs/ext/descriptor/index.js';

const { FileDescriptorProto } = descriptor;

export function reflection(service: PackageDefinition): ReflectionService {
  const health = loadSync(healthSchema, { keepCase: true });
  const messages = Object.entries({ ...service, ...health }).filter(isMessage);
  // Each message has the list of all files of its schema, so one message of each schema describes everything.
  const schemas = new Map(messages.map((entry) => [entry[1].fileDescriptorProtos, entry]));
  const corrected = [...schemas].map(([files, [name, message]]) => [
    name,
    { ...message, fileDescriptorProtos: files.map(asCompiled) },
  ]);
  return new ReflectionService(Object.fromEntries(corrected));
}

const isMessage = (
  entry: [string, PackageDefinition[string]],
): entry is [string, MessageTypeDefinition<object, object>] =>
  Array.isArray(entry[1].fileDescriptorProtos);

/** Returns the file with the names that `protoc` gives and the loader does not. */
function asCompiled(bytes: Uint8Array): Buffer {
  const file: IFileDescriptorProto & object = FileDescriptorProto.decode(bytes);
  for (const message of file.messageType ?? []) complete(message);
  return Buffer.from(FileDescriptorProto.encode(file).finish());
}

/**
 * Adds the JSON names of fields, and corrects the names of the entries of maps. The loader calls the entries of
 * `parameters` `Parameters`, but clients in Go and C++ recognize a map only by the name `ParametersEntry`.
 */
function complete({ field = [], nestedType = [] }: IDescriptorProto): void {
  for (const own of field) own.jsonName = camelCase(own.name ?? '');
  for (const nested of nestedType) {
    complete(nested);
    if (!nested.options?.mapEntry) continue;
    const map = field.find(({ typeName }) => typeName === nested.name);
    nested.name = `${camelCase(nested.name ?? '')}Entry`;
    if (map !== undefined) map.typeName = nested.name;
  }
}

const camelCase = (name: string): string =>
  name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
