/** @module Signatures of models in the format of OpenSSF model-signing, so that its command and this server accept each other's. */

export { checkSignature, effectivePolicy, type SignatureCheck } from './check.ts';
export { type SignOptions, sign } from './sign.ts';
export { readTrust, type Trust } from './trust.ts';
export { type Signer, verify } from './verify.ts';
