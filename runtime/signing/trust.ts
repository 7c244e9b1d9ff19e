/** @module Whose signatures are accepted: the keys and the identity that the settings name. */

import { createPublicKey, type KeyObject } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlatformSettings } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import { currentHost } from '../host/index.ts';
import { digestFor, keyHint } from './keys.ts';

/** What signatures are verified against. */
export interface Trust {
  /** By their hints; see `keyHint`. */
  readonly keys: ReadonlyMap<string, KeyObject>;
  /** Who may sign without a key, and what proves it; undefined if nobody may. */
  readonly keyless: KeylessTrust | undefined;
}

export interface KeylessTrust {
  /** The content of Sigstore's `trusted_root.json`. */
  readonly root: unknown;
  readonly issuer: string;
  readonly identity: string;
}

type Settings = Pick<
  PlatformSettings,
  'signatureKeys' | 'signatureTrustRoot' | 'signatureIdentity'
>;

/** Reads the keys and the trust root. @throws {ServeError} `INVALID_CONFIG` with a sentence that names the setting. */
export async function readTrust(settings: Settings): Promise<Trust> {
  const { signatureKeys: keys } = settings;
  return {
    keys: new Map(keys === undefined ? [] : await readKeys(keys)),
    keyless: await readKeyless(settings),
  };
}

/** The text of a PEM file may hold several keys, and explanations between them. */
const PEM = /-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----/g;

async function readKeys(path: string): Promise<[string, KeyObject][]> {
  const found: [string, KeyObject][] = [];
  for (const file of await filesAt(path)) {
    const text = await readText('SIGNATURE_KEYS', file);
    for (const [pem] of text.matchAll(PEM)) {
      const key = parseKey(pem, file);
      found.push([keyHint(key), key]);
    }
  }
  if (found.length > 0) return found;
  throw invalid(`SIGNATURE_KEYS is ${path}, where there is no public key in PEM form`);
}

async function filesAt(path: string): Promise<string[]> {
  const stats = await stat(path).catch((cause) => {
    throw invalid(`SIGNATURE_KEYS is ${path}, which cannot be read`, cause);
  });
  if (!stats.isDirectory()) return [path];
  // A mounted volume keeps its files in hidden folders, and links to them.
  const names = (await readdir(path)).filter((name) => /^[^.].*\.(?:pem|pub|key|crt)$/.test(name));
  return names.map((name) => join(path, name));
}

function parseKey(pem: string, file: string): KeyObject {
  if (pem.includes('PRIVATE KEY')) {
    throw invalid(`SIGNATURE_KEYS has the private key ${file}; give only public keys to a server`);
  }
  try {
    const key = createPublicKey(pem);
    if (digestFor(key) !== undefined) return key;
  } catch (cause) {
    throw invalid(`SIGNATURE_KEYS has ${file}, which is not a public key in PEM form`, cause);
  }
  throw invalid(
    `SIGNATURE_KEYS has ${file}, whose key is not on one of the curves P-256, P-384 and P-521`,
  );
}

async function readKeyless(settings: Settings): Promise<KeylessTrust | undefined> {
  const { signatureTrustRoot: path, signatureIdentity: who } = settings;
  if (path === undefined && who === undefined) return undefined;
  if (path === undefined) {
    throw invalid('SIGNATURE_IDENTITY needs SIGNATURE_TRUST_ROOT, which is not set');
  }
  if (currentHost().name.startsWith('deno')) {
    throw invalid(
      'SIGNATURE_TRUST_ROOT cannot be used on Deno, whose cryptography cannot verify the log of Sigstore; run the service on Bun',
    );
  }
  const [, issuer, identity] = /^(\S+)\s+(\S+)$/.exec(who ?? '') ?? [];
  if (issuer === undefined || identity === undefined) {
    throw invalid(
      'SIGNATURE_TRUST_ROOT needs SIGNATURE_IDENTITY, which must be an issuer and an identity; write for example `https://accounts.example.com release@example.com`',
    );
  }
  const text = await readText('SIGNATURE_TRUST_ROOT', path);
  try {
    return { root: JSON.parse(text), issuer, identity };
  } catch (cause) {
    throw invalid(`SIGNATURE_TRUST_ROOT is ${path}, which is not valid JSON`, cause);
  }
}

async function readText(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw invalid(`${setting} has ${path}, which cannot be read`, cause);
  }
}

const invalid = (message: string, cause?: unknown) =>
  new ServeError('INVALID_CONFIG', `${message}.`, { cause });
