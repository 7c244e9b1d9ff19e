/** @module What a client without the schema can ask for: the messages of the service, and of health. */

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
  // Every message brings along the file it is from.
  const corrected = Object.entries(definition).map(([name, entry]) => {
    const { fileDescriptorProtos: files } = entry;
    return Array.isArray(files)
      ? [name, { ...entry, fileDescriptorProtos: files.map(asCompiled) }]
      : [name, entry];
  });
  return new ReflectionService(Object.fromEntries(corrected));
}

/** The file with the names that `protoc` gives and the loader does not. */
function asCompiled(bytes: Uint8Array): Buffer {
  const file: IFileDescriptorProto & object = FileDescriptorProto.decode(bytes);
  for (const message of file.messageType ?? []) complete(message);
  return Buffer.from(FileDescriptorProto.encode(file).finish());
}

/**
 * Gives fields their names in JSON, and the entries of maps theirs: those of `parameters` are
 * `Parameters` to the loader, but no map to clients in Go and C++ unless they are `ParametersEntry`.
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
