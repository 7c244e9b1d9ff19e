/** @module `millrace models register --offline`. */

import { resolve } from 'node:path';
import { createLog, processSources, readConfig, registerVersion } from '../../runtime/index.ts';
import { services } from '../services.ts';
import { probeInChild } from '../tools/validate/index.ts';
import { refusing } from './refusing.ts';
import { Refused } from './server.ts';
import { toObject } from './values.ts';

/** The fields of a version as the server takes them, all of them text. */
export type VersionFields = Readonly<Record<string, string>>;

/** Registers a version in the stores that the settings name. @throws {Refused} */
export function registerOffline(model: string, path: string, fields: VersionFields) {
  const config = readConfig(services, { ...processSources(), argv: [] });
  const registration = {
    ...{ model, version: fields.version! },
    metadata: parse('--metadata', fields.metadata) ?? {},
    config: parse('--config', fields.config),
    signature: parse('--signature', fields.signature),
  };
  const parts = { probe: probeInChild(config), log: createLog('silent') };
  return refusing(registerVersion(config, resolve(path), registration, parts));
}

/** The object that an option names, as the server reads the field of a form. @throws {Refused} */
function parse(option: string, text: string | undefined): Record<string, unknown> | undefined {
  try {
    return text === undefined ? undefined : (toObject(text) as Record<string, unknown>);
  } catch {
    throw new Refused(`The file of ${option} is not a JSON object.`);
  }
}
