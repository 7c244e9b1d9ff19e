/** @module Where settings come from: flags, the environment and `millrace.json`. */

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ServeError } from '../errors.ts';
import { nearest } from '../nearest.ts';

/** The sources of settings, which tests replace. */
export interface ConfigSources {
  /** Arguments after the script's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that holds `millrace.json` and that relative paths start from. */
  readonly cwd: string;
}

/** The value of a setting in a source, not checked yet. */
export interface GivenSetting {
  readonly value: unknown;
  /** The name of the setting in its source, such as `--port`; the subject of error messages. */
  readonly name: string;
  /** How another value is written in that source, such as `--port=8001`. */
  readonly write: (value: string) => string;
}

/** By the names of the settings. */
export type GivenSettings = Readonly<Record<string, GivenSetting>>;

export function processSources(): ConfigSources {
  return { argv: process.argv.slice(2), env: process.env, cwd: process.cwd() };
}

/** Whether the arguments request the help, which is then the only output. */
export function wantsHelp({ argv }: ConfigSources = processSources()): boolean {
  return argv.includes('--help');
}

/**
 * Reads all sources: a flag has priority over the environment (or its `*_FILE`), which has priority over
 * `millrace.json`.
 *
 * @param examples An example value of each setting, by its name.
 * @throws {ServeError} `INVALID_CONFIG` for names that are not settings, and files that cannot be read.
 */
export function readSources(
  sources: ConfigSources,
  examples: Readonly<Record<string, string>>,
): GivenSettings {
  const names = Object.keys(examples);
  return {
    ...fromFile(sources.cwd, names),
    ...fromEnvironment(sources.env, names),
    ...fromFlags(sources.argv, examples),
  };
}

function fromFlags(
  argv: readonly string[],
  examples: Readonly<Record<string, string>>,
): GivenSettings {
  const flags = new Map(Object.keys(examples).map((name) => [flagOf(name), name]));
  flags.set('models', 'MODEL_PATH');
  const given: Record<string, GivenSetting> = {};
  const [first, ...rest] = argv;
  const named = first !== undefined && !first.startsWith('-');
  // A name of a service has none of these characters; a path of a model has.
  const isPath = named && /[/\\.]/.test(first);
  if (isPath) given.MODEL_PATH = assigned('MODEL_PATH', first);
  else if (named) given.SERVICE = assigned('SERVICE', first);
  const args = named ? rest : [...argv];
  const { tokens } = parseArgs({ args, strict: false, tokens: true });
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i]!;
    const name = token.kind === 'option' ? flags.get(token.name) : undefined;
    if (token.kind !== 'option' || name === undefined) {
      const got = token.kind === 'option' ? token.rawName : 'value' in token ? token.value : '--';
      const known = [...flags.keys()].map((flag) => `--${flag}`);
      const meant = nearest(got, known) ?? `one of ${known.join(', ')}`;
      throw invalid(`${got} is not an option; write ${meant}`);
    }
    // Without a schema of its own, parseArgs leaves the value of `--port 8001` to the next token.
    const next = tokens[i + 1];
    const separate = token.value === undefined && next?.kind === 'positional';
    if (separate) i += 1;
    const value = separate ? next.value : token.value;
    if (value === undefined)
      throw invalid(`${token.rawName} needs a value; write ${token.rawName}=${examples[name]}`);
    given[name] = assigned(token.rawName, value);
  }
  return given;
}

/** Values that need no quotes in JSON. */
const NUMBER = /^\d+$/;

/** A value that is written `name=value`. */
const assigned = (name: string, value: string): GivenSetting => ({
  value,
  name,
  write: (other) => `${name}=${other}`,
});

function fromEnvironment(env: ConfigSources['env'], names: readonly string[]): GivenSettings {
  refuseMisspelt(env, names);
  const given: Record<string, GivenSetting> = {};
  for (const name of names) {
    const file = env[`${name}_FILE`];
    const value = env[name];
    if (file !== undefined && value !== undefined) {
      throw invalid(`${name} and ${name}_FILE are both set; write only one of them`);
    }
    if (file !== undefined) given[name] = fromNamedFile(name, file);
    else if (value !== undefined && value !== '') given[name] = assigned(name, value);
  }
  return given;
}

/** Most variables belong to other programs; one that differs from ours only in underscores or case is a mistake. */
function refuseMisspelt(env: ConfigSources['env'], names: readonly string[]): void {
  const ours = new Map(names.map((name) => [name.replaceAll('_', ''), name]));
  for (const name of Object.keys(env)) {
    const bare = name
      .toUpperCase()
      .replace(/^MILLRACE_/, '')
      .replaceAll('_', '');
    const meant = ours.get(bare);
    // `host` and `port` in lower case are too common to be mistakes.
    if (meant !== undefined && name !== meant && meant.includes('_')) {
      throw invalid(`${name} is not a setting; write ${meant}`);
    }
  }
}

function fromNamedFile(setting: string, path: string): GivenSetting {
  const name = `${setting}_FILE`;
  try {
    const value = readFileSync(path, 'utf8').trim();
    return {
      value,
      name: `${setting} in the file that ${name} names`,
      write: (other) => `${other} into that file`,
    };
  } catch {
    throw invalid(
      `${name} names the file ${path}, which cannot be read; write the path of a readable file`,
    );
  }
}

function fromFile(cwd: string, names: readonly string[]): GivenSettings {
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
  const given: Record<string, GivenSetting> = {};
  for (const [key, value] of Object.entries(content)) {
    const name = names.find((known) => known.toLowerCase() === key);
    if (name === undefined) {
      const known = names.map((setting) => setting.toLowerCase()).join(', ');
      throw invalid(`millrace.json has the unknown key '${key}'; the keys are ${known}`);
    }
    given[name] = {
      value,
      name: `${key} in millrace.json`,
      write: (other) => JSON.stringify({ [key]: NUMBER.test(other) ? Number(other) : other }),
    };
  }
  return given;
}

/** The flag of a setting, without its dashes. */
export function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

export function invalid(message: string): ServeError {
  return new ServeError('INVALID_CONFIG', `${message}.`);
}
