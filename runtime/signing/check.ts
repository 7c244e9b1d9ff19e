/** @module Whether a model may be used, by the policy for signatures. */

import type { ArtifactFile } from '../artifacts/index.ts';
import type { SignaturePolicy } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import type { Trust } from './trust.ts';
import { type Signer, verifyFiles } from './verify.ts';

export interface SignatureCheck {
  readonly status: 'verified' | 'unsigned' | 'invalid';
  /** Whether the policy lets the model be used. */
  readonly accepted: boolean;
  /** Why it is not verified, as a sentence; undefined if it is. */
  readonly reason: string | undefined;
  /** Who signed, if it is verified. */
  readonly signer: Signer | undefined;
}

/**
 * Checks the signature of a model, before it is registered and before it is loaded.
 *
 * @param files What `hashArtifact` or `ArtifactStore.fetch` returned of the model, so that nothing is hashed again.
 * @param bundle The JSON of the signature; undefined or null if there is none.
 * @param policy `require` accepts only what is verified; with `warn` the caller logs the reason; `off` accepts everything.
 */
export async function checkSignature(
  files: readonly ArtifactFile[],
  bundle: unknown,
  policy: SignaturePolicy,
  trust: Trust,
): Promise<SignatureCheck> {
  const others = { accepted: policy !== 'require', signer: undefined };
  if (bundle === undefined || bundle === null) {
    return { ...others, status: 'unsigned', reason: 'The model is not signed.' };
  }
  try {
    const signer = await verifyFiles(files, bundle, trust);
    return { status: 'verified', accepted: true, reason: undefined, signer };
  } catch (error) {
    if (!(error instanceof ServeError) || error.code !== 'REJECTED') throw error;
    return { ...others, status: 'invalid', reason: error.message };
  }
}

const STRICTNESS: readonly SignaturePolicy[] = ['off', 'warn', 'require'];

/**
 * The policy for a model: that of the server, or a stricter one that the model asks for in `signature_policy` of its
 * `model.json`. A model cannot ask for less, because who uploads it may be whom the policy guards against.
 */
export function effectivePolicy(
  server: SignaturePolicy,
  model: SignaturePolicy | undefined,
): SignaturePolicy {
  if (model === undefined) return server;
  return STRICTNESS.indexOf(model) > STRICTNESS.indexOf(server) ? model : server;
}
