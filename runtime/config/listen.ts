/** @module Settings of which services run, and where they listen. */

import { z } from 'zod';
import { setting, text, whole } from './setting.ts';

/** What the settings need to know about a service; a row of the table in `services/services.ts` has this type. */
export interface ServicePorts {
  readonly name: string;
  readonly defaultPort: number;
  /** The default port of its gRPC; undefined if it has none. */
  readonly defaultGrpcPort?: number;
}

const port = whole(0, 65_535);

const fixed = {
  HOST: setting(
    text.default('127.0.0.1'),
    'Address to listen on; 0.0.0.0 or :: for all addresses of the machine',
    '0.0.0.0',
  ),
  PORT: setting(
    port.optional(),
    'Port of the service, or of the first one if several run; 0 picks free ports for all',
    '8001',
  ),
  GRPC_PORT: setting(port.optional(), 'Port of the Open Inference Protocol over gRPC', '9000'),
};

type Fixed = z.infer<z.ZodObject<typeof fixed>>;
type Settings = Fixed & { readonly SERVICE: string } & Readonly<Record<string, unknown>>;

/** The settings, to which each service adds its port. */
export function listenSettings(services: readonly ServicePorts[]) {
  const names = ['all', ...services.map(({ name }) => name)];
  const ports = services.map(({ name, defaultPort }) => [
    portName(name),
    setting(port.optional(), `Port of the ${name} service`, `${defaultPort}`),
  ]);
  return {
    SERVICE: setting(
      z.enum(names, `one of ${names.join(', ')}`).default('all'),
      'Which service runs; also the first argument',
      names.at(-1)!,
    ),
    ...fixed,
    ...(Object.fromEntries(ports) as Record<string, z.ZodOptional<typeof port>>),
  };
}

export interface ListenSettings {
  /** Names of the services that run. */
  readonly services: readonly string[];
  /** The port of each service by its name, and of gRPC as `grpc`; 0 means any free port. */
  readonly ports: Readonly<Record<string, number>>;
  readonly host: string;
}

/** `<NAME>_PORT`. */
const portName = (service: string): string => `${service.toUpperCase()}_PORT`;

export function readListenSettings(
  settings: Settings,
  all: readonly ServicePorts[],
): ListenSettings {
  const services = selected(settings, all);
  const main = services[0]?.name;
  const otherwise = (port: number) => (settings.PORT === 0 ? 0 : port);
  const ports = all.map(({ name, defaultPort }) => {
    const own = settings[portName(name)] as number | undefined;
    return [name, own ?? (name === main ? settings.PORT : undefined) ?? otherwise(defaultPort)];
  });
  const grpc = all.find(({ defaultGrpcPort }) => defaultGrpcPort !== undefined)?.defaultGrpcPort;
  return {
    services: services.map(({ name }) => name),
    ports: {
      ...Object.fromEntries(ports),
      ...(grpc === undefined ? {} : { grpc: settings.GRPC_PORT ?? otherwise(grpc) }),
    },
    host: settings.HOST,
  };
}

const selected = ({ SERVICE }: Settings, all: readonly ServicePorts[]) =>
  SERVICE === 'all' ? all : all.filter(({ name }) => name === SERVICE);

/** The setting that says where a service listens. */
export function portSetting(name: string, { services }: Pick<ListenSettings, 'services'>): string {
  return name === services[0] ? 'PORT' : portName(name);
}

/** A sentence about settings that contradict each other; undefined if none do. */
export function listenContradiction(settings: Settings, all: readonly ServicePorts[]) {
  const main = selected(settings, all)[0]?.name ?? '';
  const own = settings[portName(main)];
  if (settings.PORT !== undefined && own !== undefined && own !== settings.PORT) {
    return `PORT and ${portName(main)} are the same port; write only one of them`;
  }
  const { services, ports } = readListenSettings(settings, all);
  const speaksGrpc = all.some((s) => s.defaultGrpcPort !== undefined && services.includes(s.name));
  const taken = new Map<number, string>();
  for (const name of speaksGrpc ? [...services, 'grpc'] : services) {
    const number = ports[name]!;
    const other = taken.get(number);
    if (number !== 0 && other !== undefined) {
      const [one, two] = [portSetting(other, { services }), portSetting(name, { services })];
      return `${one} and ${two} are both ${number}; write another number in one of them`;
    }
    taken.set(number, name);
  }
  return undefined;
}
