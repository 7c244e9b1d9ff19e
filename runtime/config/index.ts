/** @module Settings: checked by the schemas of their groups, and read once, when the process starts. */

import { z } from 'zod';
import {
  type LimitSettings,
  limitContradiction,
  limitSettings,
  readLimitSettings,
} from './limits.ts';
import {
  type ListenSettings,
  listenContradiction,
  listenSettings,
  readListenSettings,
  type ServicePorts,
} from './listen.ts';
import {
  type ModelSettings,
  modelContradiction,
  modelSettings,
  readModelSettings,
} from './models.ts';
import {
  type PlatformSettings,
  platformContradiction,
  platformSettings,
  readPlatformSettings,
} from './platform.ts';
import { aboutSetting } from './setting.ts';
import {
  type ConfigSources,
  flagOf,
  type GivenSettings,
  invalid,
  processSources,
  readSources,
} from './sources.ts';

export { type ServerAddress, serverAddress } from './client.ts';
export { portSetting, type ServicePorts } from './listen.ts';
export type { PlatformSettings, S3Settings, SignaturePolicy } from './platform.ts';
export { type ConfigSources, processSources, wantsHelp } from './sources.ts';

/** All settings, checked. */
export interface Config extends ListenSettings, ModelSettings, LimitSettings, PlatformSettings {}

/** Every setting by its name in the environment, in the order of the help. */
const schemaOf = (services: readonly ServicePorts[]) =>
  z.object({
    ...listenSettings(services),
    ...modelSettings,
    ...limitSettings,
    ...platformSettings,
  });

function groupOf(name: string): string {
  if (name in modelSettings) return 'Models';
  if (name in limitSettings) return 'Limits and times';
  return name in platformSettings ? 'Platform' : 'Where it listens';
}

/** A setting as a command line shows it. */
export interface SettingHelp {
  readonly flag: string;
  /** The heading of its group in the help. */
  readonly group: string;
  readonly description: string;
  /** The default value as it would be written; undefined if there is none. */
  readonly defaultValue: string | undefined;
}

export function settingsHelp(services: readonly ServicePorts[]): readonly SettingHelp[] {
  return Object.entries(schemaOf(services).shape).map(([name, schema]) => {
    const value = schema.safeParse(undefined).data;
    return {
      flag: `--${flagOf(name)}`,
      group: groupOf(name),
      description: aboutSetting(schema).description,
      defaultValue: value === undefined || String(value) === '' ? undefined : String(value),
    };
  });
}

/**
 * Reads the settings: flag > environment (or its `*_FILE`) > `millrace.json` > default.
 *
 * @param services The services that can run, which have settings of their own.
 * @throws {ServeError} `INVALID_CONFIG` with a sentence that says what to write instead.
 */
export function readConfig(
  services: readonly ServicePorts[],
  sources: ConfigSources = processSources(),
): Config {
  const schema = schemaOf(services);
  const examples = Object.fromEntries(
    Object.entries(schema.shape).map(([name, each]) => [name, aboutSetting(each).example]),
  );
  const given = readSources(sources, examples);
  const values = Object.entries(given).map(([name, { value }]) => [name, value]);
  const parsed = schema.safeParse(Object.fromEntries(values));
  if (!parsed.success) throw wrongValue(parsed.error.issues[0]!, given, schema.shape);
  const settings = parsed.data;
  const contradiction =
    modelContradiction(settings) ??
    limitContradiction(settings) ??
    platformContradiction(settings) ??
    listenContradiction(settings, services);
  if (contradiction !== undefined) throw invalid(contradiction);
  return {
    ...readListenSettings(settings, services),
    ...readModelSettings(settings, sources.cwd),
    ...readLimitSettings(settings),
    ...readPlatformSettings(settings, sources.cwd),
  };
}

/** A setting with the value in force, for people. */
export interface SettingInForce {
  readonly name: string;
  /** As text; `(hidden)` for a secret that is set. */
  readonly value: string;
  /** Where it comes from, such as `--port` or `port in millrace.json`; undefined for a default. */
  readonly source: string | undefined;
}

/** Every setting that has a value. @throws {ServeError} `INVALID_CONFIG`, as `readConfig` */
export function settingsInForce(
  services: readonly ServicePorts[],
  sources: ConfigSources = processSources(),
): readonly SettingInForce[] {
  readConfig(services, sources);
  const { shape } = schemaOf(services);
  const examples = Object.fromEntries(Object.keys(shape).map((name) => [name, '']));
  const given = readSources(sources, examples);
  return Object.entries(shape).flatMap(([name, schema]) => {
    const value = schema.parse(given[name]?.value);
    if (value === undefined) return [];
    const shown = aboutSetting(schema).isSecret === true ? '(hidden)' : String(value);
    return [{ name, value: shown, source: given[name]?.name }];
  });
}

function wrongValue(
  { path: [setting], message }: z.core.$ZodIssue,
  given: GivenSettings,
  shape: Readonly<Record<string, z.ZodType>>,
) {
  const { name, value, write } = given[String(setting)]!;
  const { example, isSecret } = aboutSetting(shape[String(setting)]!);
  const shown = isSecret === true ? 'another value' : JSON.stringify(value);
  return invalid(`${name} must be ${message}, got ${shown}; write for example ${write(example)}`);
}
