/** @module `millrace models register --offline`. */

import { resolve } from 'node:path';
import { createLog, processSources, readConfig, registerVersion } from '../../runtime/index.ts';
import { services } from '../services.ts';
import { probeInChild } from '../tools/validate/index.ts';
import { refusing } from './refusing.ts';
import { Refused } from './server.ts';

/** The fields of a version as the server takes them, all of them text. */
export type VersionFields = Readonly<Record<string, string>>;

/** Registers a version in the stores that the settings name. @throws {Refused} */
export function registerOffline(model: string, path: string, fields: VersionFields) {
  const config = readConfig(services, { ...processSources(), argv: [] });
  const registration = {
    ...{ model, version: fields.version! },
    metadata:
      fields.metadata === undefined ? {} : (JSON.parse(fields.metadata) as Record<string, unknown>),
    config: fields.config && parse('--config', fields.config),
    signature: fields.signature && parse('--signature', fields.signature),
  };
  const parts = { probe: probeInChild(config), log: createLog('silent') };
  return refusing(registerVersion(config, resolve(path), registration, parts));
}

function parse(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(`The file of ${option} is not valid JSON.`);
  }
}
