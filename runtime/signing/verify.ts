/** @module Verifies signatures of models. */

import { verify as verifyBytes } from 'node:crypto';
import { type ArtifactFile, hashArtifact, type TransferOptions } from '../artifacts/index.ts';
import { BUNDLE_TYPE, type ParsedBundle, parseBundle, rejected, signedBytes } from './bundle.ts';
import { verifyKeyless } from './keyless.ts';
import { digestFor } from './keys.ts';
import { checkStatement } from './statement.ts';
import type { Trust } from './trust.ts';

/** Who signed: the hint of a key, or an identity and the issuer that vouches for it. */
export type Signer =
  | { readonly key: string }
  | { readonly issuer: string; readonly identity: string };

/**
 * Verifies that a model file or folder is exactly what somebody who is trusted has signed.
 *
 * @param bundle The JSON of the bundle.
 * @throws {ServeError} `REJECTED` with the reason; what `hashArtifact` throws
 */
export async function verify(
  path: string,
  bundle: unknown,
  trust: Trust,
  options: TransferOptions = {},
): Promise<Signer> {
  const { files } = await hashArtifact(path, options);
  return verifyFiles(files, bundle, trust);
}

/** The same for files that have been hashed. @throws {ServeError} `REJECTED` */
export async function verifyFiles(
  files: readonly ArtifactFile[],
  bundle: unknown,
  trust: Trust,
): Promise<Signer> {
  const parsed = parseBundle(bundle);
  const signer = await (parsed.publicKey === undefined
    ? keylessSigner(bundle, trust)
    : keySigner(parsed, parsed.publicKey.hint, trust));
  checkStatement(parsed.payload, files);
  return signer;
}

async function keylessSigner(bundle: unknown, { keyless }: Trust): Promise<Signer> {
  if (keyless === undefined) {
    throw rejected('The signature is by an identity, and none is trusted.');
  }
  await verifyKeyless(bundle, keyless);
  return { issuer: keyless.issuer, identity: keyless.identity };
}

function keySigner(bundle: ParsedBundle, hint: string | undefined, { keys }: Trust): Signer {
  if (bundle.mediaType !== BUNDLE_TYPE) {
    throw rejected(`The signature is not a bundle of Sigstore of the type ${BUNDLE_TYPE}.`);
  }
  // Signatures of old versions of the command do not name their key.
  const candidates = [...keys].filter(([each]) => hint === undefined || each === hint);
  if (candidates.length === 0) throw rejected('The signature is by a key that is not trusted.');
  const bytes = signedBytes(bundle.payload);
  const found = candidates.find(([, key]) =>
    verifyBytes(digestFor(key), bytes, key, bundle.signature),
  );
  if (found === undefined) throw rejected('The signature does not match what it signs.');
  return { key: found[0] };
}
