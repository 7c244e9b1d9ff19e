/** @module Settings: the only place that reads the environment and the command line. */

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { DEVICE, DEVICE_FORM } from './device.ts';
import { ServeError } from './errors.ts';

const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

/** A whole number from `min` to `max`; settings arrive as text, in `millrace.json` also as numbers. */
function whole(min: number, max: number) {
  return z.coerce
    .number(`a whole number from ${min} to ${max}`)
    .int(`a whole number from ${min} to ${max}`)
    .min(min, `a whole number from ${min} to ${max}`)
    .max(max, `a whole number from ${min} to ${max}`);
}

const SERVICES = ['prediction', 'inference'] as const;

/** A service of this software: what it answers is in its folder under `services/`. */
export type ServiceName = (typeof SERVICES)[number];

/** What a port is opened for. */
export type PortName = ServiceName | 'grpc';

const text = z.string('a text').min(1, 'a text that is not empty');

const flag = z
  .union([z.boolean(), z.string().toLowerCase()], 'true or false')
  .transform((given) => (typeof given === 'boolean' ? given : { true: true, false: false }[given]))
  .pipe(z.boolean('true or false'));

/** Every setting, by the name it has in the environment. The message is what the value has to be. */
const schema = z.object({
  SERVICE: z
    .enum(['all', ...SERVICES], `one of all, ${SERVICES.join(', ')}`)
    .default('all')
    .describe('Which services run'),
  MODEL_PATH: text.default('models').describe('Folder of the model repository'),
  CACHE_DIR: text
    .default('.millrace/cache')
    .describe('Folder that keeps what was measured of models between two starts'),
  DEFAULT_MODEL: text.optional().describe('Model of requests that name none'),
  MODEL_CONTROL_MODE: z
    .enum(['none', 'poll', 'explicit'], 'one of none, poll, explicit')
    .default('none')
    .describe('Whether models come and go while the server runs'),
  LOAD_MODEL: z
    .union([z.string(), z.array(z.string())], 'names of models, separated by commas')
    .transform((names) => (Array.isArray(names) ? names : names.split(',')).map((n) => n.trim()))
    .pipe(z.array(z.string().min(1, 'names of models, separated by commas')))
    .default([])
    .describe('With MODEL_CONTROL_MODE=explicit: the models loaded at the start; * means all'),
  REPOSITORY_POLL_SECS: whole(1, 86_400)
    .default(15)
    .describe('With MODEL_CONTROL_MODE=poll: time between two looks at the repository'),
  STRICT_READINESS: flag
    .default(true)
    .describe('Whether /v2/health/ready wants every model ready, or the server alone'),
  DEVICE: z.string().regex(DEVICE, DEVICE_FORM).default('cpu').describe('Where models run'),
  ENGINE_CACHE: text.default('.millrace/engines').describe('Folder of TensorRT’s engines'),
  BATCH_SIZE: whole(1, 65_536).optional().describe('Most rows that are run together'),
  MAX_WORKERS: whole(1, 256).default(1).describe('HTTP threads'),
  MAX_IN_FLIGHT: whole(1, 1_000_000)
    .default(1024)
    .describe('Most requests at once, an HTTP thread'),
  MAX_REQUEST_BYTES: whole(1024, 2 ** 31 - 1)
    .default(64 * 1024 * 1024)
    .describe('Most bytes of the body of a /v2 request, unpacked'),
  BODY_TIMEOUT_MS: whole(1, 3_600_000).default(10_000).describe('Longest time a body may take'),
  EXIT_TIMEOUT_MS: whole(1, 3_600_000)
    .default(30_000)
    .describe('Longest time a stop waits for requests that are on their way'),
  HOST: text.default('0.0.0.0').describe('Address to listen on'),
  PORT: whole(0, 65_535)
    .optional()
    .describe('Port of the service, or with several that of prediction; 0 takes free ones'),
  INFERENCE_PORT: whole(0, 65_535).optional().describe('Port of the inference service'),
  GRPC_PORT: whole(0, 65_535).optional().describe('Port of the inference service’s gRPC'),
  LOG_LEVEL: z
    .string()
    .toLowerCase()
    .pipe(z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`))
    .default('info')
    .describe('Least level of the lines that are logged'),
  ORT_LIBRARY: text.optional().describe('ONNX Runtime shared library'),
});

type Settings = z.infer<typeof schema>;
type SettingName = keyof Settings;

const NAMES = Object.keys(schema.shape) as SettingName[];

/** The settings as a command line shows them. */
export const SETTINGS = NAMES.map((name) => {
  const usual = schema.shape[name].safeParse(undefined).data;
  return {
    flag: `--${flagOf(name)}`,
    description: schema.shape[name].description ?? '',
    usual: usual === undefined || String(usual) === '' ? undefined : String(usual),
  };
});

/** What the platform runs with, checked. */
export interface Config {
  readonly services: readonly ServiceName[];
  /** Where to listen; 0 takes a free port. */
  readonly ports: Readonly<Record<PortName, number>>;
  /** Absolute path of the model repository. */
  readonly modelPath: string;
  /** Absolute path of the folder that keeps what was measured; undefined: nothing is kept. */
  readonly cacheDir: string | undefined;
  readonly defaultModel: string | undefined;
  readonly modelControlMode: 'none' | 'poll' | 'explicit';
  readonly loadModels: readonly string[];
  readonly repositoryPollMs: number;
  readonly strictReadiness: boolean;
  readonly device: string;
  /** Absolute path of the folder of TensorRT's engines. */
  readonly engineCache: string;
  readonly batchSize: number | undefined;
  readonly maxWorkers: number;
  readonly maxInFlight: number;
  readonly maxRequestBytes: number;
  readonly bodyTimeoutMs: number;
  readonly exitTimeoutMs: number;
  readonly host: string;
  readonly logLevel: string;
  readonly ortLibrary: string | undefined;
}

/** Where settings come from; a test gives its own. */
export interface ConfigSources {
  /** Arguments after the script's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that holds `millrace.json` and that relative paths start from. */
  readonly cwd: string;
}

/**
 * Reads the settings: flag > environment (or its `*_FILE`) > `millrace.json` > default.
 *
 * @throws {ServeError} `INVALID_CONFIG` with a sentence that says what to write instead.
 */
export function readConfig(sources: ConfigSources = processSources()): Config {
  const given = {
    ...fromFile(sources.cwd),
    ...fromEnvironment(sources.env),
    ...fromFlags(sources.argv),
  };
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = String(issue?.path[0]) as SettingName;
    throw invalid(
      `${name} must be ${issue?.message}, got ${JSON.stringify(given[name])}; write for example ${name}=${example(name)}`,
    );
  }
  refuseContradictions(parsed.data);
  const config = toConfig(parsed.data, sources.cwd);
  refuseSharedPorts(config);
  return config;
}

function processSources(): ConfigSources {
  return { argv: process.argv.slice(2), env: process.env, cwd: process.cwd() };
}

function toConfig(settings: Settings, cwd: string): Config {
  return {
    services: settings.SERVICE === 'all' ? SERVICES : [settings.SERVICE],
    ports: portsOf(settings),
    modelPath: resolve(cwd, settings.MODEL_PATH),
    cacheDir: resolve(cwd, settings.CACHE_DIR),
    defaultModel: settings.DEFAULT_MODEL,
    modelControlMode: settings.MODEL_CONTROL_MODE,
    loadModels: settings.LOAD_MODEL,
    repositoryPollMs: settings.REPOSITORY_POLL_SECS * 1000,
    strictReadiness: settings.STRICT_READINESS,
    device: settings.DEVICE,
    engineCache: resolve(cwd, settings.ENGINE_CACHE),
    batchSize: settings.BATCH_SIZE,
    maxWorkers: settings.MAX_WORKERS,
    maxInFlight: settings.MAX_IN_FLIGHT,
    maxRequestBytes: settings.MAX_REQUEST_BYTES,
    bodyTimeoutMs: settings.BODY_TIMEOUT_MS,
    exitTimeoutMs: settings.EXIT_TIMEOUT_MS,
    host: settings.HOST,
    logLevel: settings.LOG_LEVEL,
    ortLibrary: settings.ORT_LIBRARY,
  };
}

function portsOf({ SERVICE, PORT, INFERENCE_PORT, GRPC_PORT }: Settings): Config['ports'] {
  const otherwise = (port: number) => (PORT === 0 ? 0 : port);
  const alone = SERVICE === 'inference' ? PORT : undefined;
  return {
    prediction: PORT ?? 8001,
    inference: INFERENCE_PORT ?? alone ?? otherwise(8000),
    grpc: GRPC_PORT ?? otherwise(9000),
  };
}

/** The setting that says where a service of this configuration listens. */
export function portSetting(name: PortName, { services }: Pick<Config, 'services'>): SettingName {
  if (name === 'grpc') return 'GRPC_PORT';
  return name === 'prediction' || services.length === 1 ? 'PORT' : 'INFERENCE_PORT';
}

function refuseContradictions({ SERVICE, PORT, INFERENCE_PORT, ...settings }: Settings): void {
  const { LOAD_MODEL, MODEL_CONTROL_MODE } = settings;
  if (LOAD_MODEL.length > 0 && MODEL_CONTROL_MODE !== 'explicit') {
    throw invalid(
      `LOAD_MODEL has no effect with MODEL_CONTROL_MODE=${MODEL_CONTROL_MODE}; write MODEL_CONTROL_MODE=explicit, or leave LOAD_MODEL out`,
    );
  }
  if (SERVICE === 'inference' && (PORT ?? INFERENCE_PORT) !== (INFERENCE_PORT ?? PORT)) {
    throw invalid('PORT and INFERENCE_PORT name the same port; write only one of them');
  }
}

function refuseSharedPorts(config: Config): void {
  const { ports, services } = config;
  const used: PortName[] = services.includes('inference') ? [...services, 'grpc'] : [...services];
  const taken = new Map<number, PortName>();
  for (const name of used) {
    const port = ports[name];
    const other = taken.get(port);
    if (port !== 0 && other !== undefined) {
      const [one, two] = [portSetting(other, config), portSetting(name, config)];
      throw invalid(`${one} and ${two} are both ${port}; write another number in one of them`);
    }
    taken.set(port, name);
  }
}

type Given = Partial<Record<SettingName, unknown>>;

function fromFlags(argv: readonly string[]): Given {
  const flags = new Map<string, SettingName>(NAMES.map((name) => [flagOf(name), name]));
  flags.set('models', 'MODEL_PATH');
  const given: Given = {};
  const [first, ...rest] = argv;
  const named = first !== undefined && !first.startsWith('-');
  if (named) given.SERVICE = first;
  const args = named ? rest : [...argv];
  const { tokens } = parseArgs({ args, strict: false, tokens: true });
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i]!;
    const name = token.kind === 'option' ? flags.get(token.name) : undefined;
    if (token.kind !== 'option' || name === undefined) {
      const got = token.kind === 'option' ? token.rawName : 'value' in token ? token.value : '--';
      const known = [...flags.keys()].map((flag) => `--${flag}`).join(', ');
      throw invalid(`${got} is not an option; write one of ${known}`);
    }
    // Without a schema of its own, parseArgs leaves the value of `--port 8001` to the next token.
    const next = tokens[i + 1];
    const separate = token.value === undefined && next?.kind === 'positional';
    if (separate) i += 1;
    const value = separate ? next.value : token.value;
    if (value === undefined)
      throw invalid(`${token.rawName} needs a value; write ${token.rawName}=${example(name)}`);
    given[name] = value;
  }
  return given;
}

function fromEnvironment(env: ConfigSources['env']): Given {
  refuseMisspelt(env);
  const given: Given = {};
  for (const name of NAMES) {
    const file = env[`${name}_FILE`];
    const value = env[name];
    if (file !== undefined && value !== undefined) {
      throw invalid(`${name} and ${name}_FILE are both set; write only one of them`);
    }
    if (file !== undefined) given[name] = readSecret(`${name}_FILE`, file);
    else if (value !== undefined && value !== '') given[name] = value;
  }
  return given;
}

/** The environment is full of strangers; a name that differs from ours in underscores or case alone is meant for us. */
function refuseMisspelt(env: ConfigSources['env']): void {
  const ours = new Map(NAMES.map((name) => [name.replaceAll('_', ''), name]));
  for (const name of Object.keys(env)) {
    const bare = name
      .toUpperCase()
      .replace(/^MILLRACE_/, '')
      .replaceAll('_', '');
    const meant = ours.get(bare);
    // `host` and `port` in lower case are too common to be a slip of the pen.
    if (meant !== undefined && name !== meant && meant.includes('_')) {
      throw invalid(`${name} is not a setting; write ${meant}`);
    }
  }
}

function readSecret(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw invalid(
      `${name} names the file ${path}, which cannot be read; write the path of a readable file`,
    );
  }
}

function fromFile(cwd: string): Given {
  const path = resolve(cwd, 'millrace.json');
  if (!existsSync(path)) return {};
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw invalid('millrace.json is not valid JSON; write an object such as {"port": 8001}');
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid('millrace.json must hold an object; write for example {"port": 8001}');
  }
  const given: Given = {};
  for (const [key, value] of Object.entries(content)) {
    const name = NAMES.find((known) => known.toLowerCase() === key);
    if (name === undefined) {
      const known = NAMES.map((setting) => setting.toLowerCase()).join(', ');
      throw invalid(`millrace.json has the unknown key "${key}"; the keys are ${known}`);
    }
    given[name] = value;
  }
  return given;
}

function flagOf(name: SettingName): string {
  return name.toLowerCase().replaceAll('_', '-');
}

function example(name: SettingName): string {
  const examples: Partial<Record<SettingName, string>> = {
    MODEL_CONTROL_MODE: 'explicit',
    LOAD_MODEL: 'iris',
    REPOSITORY_POLL_SECS: '15',
    STRICT_READINESS: 'false',
    DEVICE: 'cpu',
    ENGINE_CACHE: 'engines',
    BATCH_SIZE: '32',
    MAX_WORKERS: '2',
    MAX_IN_FLIGHT: '1024',
    MAX_REQUEST_BYTES: '67108864',
    BODY_TIMEOUT_MS: '10000',
    EXIT_TIMEOUT_MS: '30000',
    SERVICE: 'inference',
    HOST: '127.0.0.1',
    PORT: '8001',
    INFERENCE_PORT: '8000',
    GRPC_PORT: '9000',
    LOG_LEVEL: 'info',
    DEFAULT_MODEL: 'iris',
    ORT_LIBRARY: 'libonnxruntime.so',
  };
  return examples[name] ?? 'models';
}

function invalid(message: string): ServeError {
  return new ServeError('INVALID_CONFIG', `${message}.`);
}
