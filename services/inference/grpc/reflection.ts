/** @module The reflection service, which describes the messages of the protocol and of health to clients without the schema. */

import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath as healthSchema } from 'grpc-health-check';
import descriptor, {
  type IDescriptorProto,
  type IFileDescriptorProto,
} from 'protobufjs/ext/descriptor/index.js';

const { FileDescriptorProto } = descriptor;

export function reflection(service: PackageDefinition): ReflectionService {
  const definition = { ...service, ...loadSync(healthSchema, { keepCase: true }) };
  // Every message contains the description of its file.
  const corrected = Object.entries(definition).map(([name, entry]) => {
    const { fileDescriptorProtos: files } = entry;
    return Array.isArray(files)
      ? [name, { ...entry, fileDescriptorProtos: files.map(asCompiled) }]
      : [name, entry];
  });
  return new ReflectionService(Object.fromEntries(corrected));
}

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
