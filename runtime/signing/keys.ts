/** @module Elliptic-curve keys, as OpenSSF model-signing uses them. */

import { createHash, createPublicKey, type KeyObject } from 'node:crypto';

/** The digest that belongs to a curve. */
const DIGESTS = new Map([
  ['prime256v1', 'sha256'],
  ['secp384r1', 'sha384'],
  ['secp521r1', 'sha512'],
]);

/** The digest with which a key signs; undefined if it is not one of the curves P-256, P-384 and P-521. */
export function digestFor(key: KeyObject): string | undefined {
  return DIGESTS.get(key.asymmetricKeyDetails?.namedCurve ?? '');
}

/** Names a public key in a bundle: the SHA-256 of its PEM form. @param key Private or public. */
export function keyHint(key: KeyObject): string {
  const open = key.type === 'private' ? createPublicKey(key) : key;
  const pem = open.export({ type: 'spki', format: 'pem' });
  return createHash('sha256').update(pem).digest('hex');
}
