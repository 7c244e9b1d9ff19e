/** @module Signs models with a private key. */

import { createPrivateKey, sign as signBytes } from 'node:crypto';
import { basename, relative, resolve } from 'node:path';
import { hashArtifact, type TransferOptions } from '../artifacts/index.ts';
import { ServeError } from '../errors.ts';
import { BUNDLE_TYPE, PAYLOAD_TYPE, signedBytes } from './bundle.ts';
import { digestFor, keyHint } from './keys.ts';
import { statementOf } from './statement.ts';

export interface SignOptions extends TransferOptions {
  /** Of an encrypted key. */
  readonly password?: string | undefined;
  /** Where the signature will be written. A file there is not signed; within the folder, its name must end with `.sig`. */
  readonly signature?: string | undefined;
}

/**
 * Signs a model file or folder. The result is the JSON of a bundle that `verify` and the command
 * `model_signing verify key` accept.
 *
 * @param privateKey PEM of a key on one of the curves P-256, P-384 and P-521.
 * @throws {ServeError} `INVALID_ARGUMENT` for another key, a wrong password or another name of the signature; what
 * `hashArtifact` throws
 */
export async function sign(
  path: string,
  privateKey: string,
  options: SignOptions = {},
): Promise<object> {
  const key = readKey(privateKey, options.password);
  const inside = placeWithin(path, options.signature);
  const { files, isFolder } = await hashArtifact(path, options);
  const payload = Buffer.from(statementOf(basename(resolve(path)), files, isFolder, inside));
  const signature = signBytes(digestFor(key), signedBytes(payload), key);
  return {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint: keyHint(key) }, tlogEntries: [] },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType: PAYLOAD_TYPE,
      signatures: [{ sig: signature.toString('base64'), keyid: '' }],
    },
  };
}

/** The path of the signature within the folder of the model; undefined if it lies elsewhere. */
function placeWithin(folder: string, signature: string | undefined): string | undefined {
  const place = signature && relative(folder, resolve(signature));
  if (!place || /^\.\.(?:\/|$)/.test(place)) return undefined;
  // Any other file could be a part of the model, so nobody would accept that it is not signed.
  if (place.endsWith('.sig')) return place;
  throw wrong(
    "A signature within the folder of the model must have a name that ends with '.sig'; choose one, or another folder.",
  );
}

function readKey(pem: string, passphrase: string | undefined) {
  try {
    const key = createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
    if (digestFor(key) !== undefined) return key;
  } catch (cause) {
    throw wrong(
      'The private key cannot be read: it must be PEM, with its password if it has one.',
      cause,
    );
  }
  throw wrong('The private key must be on one of the curves P-256, P-384 and P-521.');
}

const wrong = (message: string, cause?: unknown) =>
  new ServeError('INVALID_ARGUMENT', message, { cause });
