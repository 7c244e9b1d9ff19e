/** @module Sigstore bundles with a DSSE envelope. */

import { z } from 'zod';
import { ServeError } from '../errors.ts';

export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

const base64 = z.base64('it must be base64').transform((text) => Buffer.from(text, 'base64'));

const bundleSchema = z.looseObject({
  mediaType: z.string(),
  verificationMaterial: z.looseObject({
    publicKey: z.looseObject({ hint: z.string().nullish() }).optional(),
  }),
  dsseEnvelope: z.looseObject({
    payload: base64,
    payloadType: z.literal(PAYLOAD_TYPE),
    signatures: z.array(z.looseObject({ sig: base64 })).length(1, 'there must be exactly one'),
  }),
});

/** A bundle, with its texts decoded. */
export interface ParsedBundle {
  readonly mediaType: string;
  /** The public key that it names; undefined if it is signed by a certificate. */
  readonly publicKey: { readonly hint: string | undefined } | undefined;
  readonly payload: Buffer;
  readonly signature: Buffer;
}

/** @param bundle The JSON of the bundle. @throws {ServeError} `REJECTED` */
export function parseBundle(bundle: unknown): ParsedBundle {
  const parsed = bundleSchema.safeParse(bundle);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    const where = path.length === 0 ? 'it' : path.join('.');
    throw rejected(`The signature is not a bundle of Sigstore: ${where}: ${message}.`);
  }
  const { mediaType, verificationMaterial, dsseEnvelope } = parsed.data;
  const { publicKey } = verificationMaterial;
  return {
    mediaType,
    publicKey: publicKey && { hint: publicKey.hint || undefined },
    payload: dsseEnvelope.payload,
    signature: dsseEnvelope.signatures[0]!.sig,
  };
}

/** The bytes that are signed. */
export function signedBytes(payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

export const rejected = (message: string, cause?: unknown): ServeError =>
  new ServeError('REJECTED', message, { cause });
