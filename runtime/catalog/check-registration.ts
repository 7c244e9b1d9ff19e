/** @module Checks what a client sends with the files of a version, before these are looked at. */

import { checkSchema } from '../check-schema.ts';
import { invalidArgument, ServeError } from '../errors.ts';
import { modelConfigSchema } from '../repository/index.ts';
import { checkStorable } from '../storable.ts';
import type { Registration } from './claims.ts';
import { checkModelName, checkVersionName } from './names.ts';

const MAX_METADATA_BYTES = 64 * 1024;

/**
 * Checks names, metadata, configuration and the form of the signature.
 *
 * @throws {ServeError} `INVALID_ARGUMENT`; `PAYLOAD_TOO_LARGE` for metadata of more than 64 KiB
 */
export function checkRegistration(registration: Registration): void {
  const { model, version, metadata, config, signature } = registration;
  checkModelName(model);
  checkVersionName(version);
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES) {
    throw new ServeError('PAYLOAD_TOO_LARGE', 'metadata has more than 65536 bytes as JSON.');
  }
  checkStorable('metadata', metadata);
  if (config !== undefined) {
    const checked = checkSchema(modelConfigSchema, config);
    if ('fault' in checked) throw invalidArgument(`config is wrong: ${checked.fault}.`);
    checkStorable('config', config);
  }
  checkStorable('signature', signature);
}
