/** @module Decides whether the signature of a version suffices, before it is registered and before it is loaded. */

import type { LocalArtifact } from '../artifacts/index.ts';
import type { PlatformSettings, SignaturePolicy } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import { readArtifact } from '../repository/index.ts';
import { checkSignature, effectivePolicy, readTrust } from '../signing/index.ts';

/** What the signature of a version is worth. */
export interface SignatureVerdict {
  readonly status: 'verified' | 'unsigned' | 'invalid';
  /** Why the policy refuses the version; undefined if it does not. */
  readonly refusal: string | undefined;
  /** What the policy wants an operator to know; undefined if there is nothing. */
  readonly warning: string | undefined;
}

/**
 * @param artifact The files, and the folder in which they lie.
 * @param bundle Undefined or null if they are not signed.
 * @param config The `model.json` of the registration, or null or undefined to use the one among the files. It may ask for a
 * stricter policy than the settings.
 */
export type CheckSignature = (
  artifact: LocalArtifact,
  bundle: unknown,
  config: unknown,
) => Promise<SignatureVerdict>;

type Settings = Pick<
  PlatformSettings,
  'signaturePolicy' | 'signatureKeys' | 'signatureTrustRoot' | 'signatureIdentity'
>;

/** Reads the keys that the settings name. @throws {ServeError} `INVALID_CONFIG` */
export async function signatureChecker(settings: Settings): Promise<CheckSignature> {
  const trust = await readTrust(settings);
  return async (artifact, bundle, config) => {
    const policy = effectivePolicy(settings.signaturePolicy, await wanted(artifact, config));
    const check = await checkSignature(artifact.files, bundle, policy, trust);
    const { status, reason } = check;
    return {
      status,
      refusal: check.accepted ? undefined : (reason ?? 'The model is not signed.'),
      warning: policy === 'warn' ? reason : undefined,
    };
  };
}

/** The policy in the `model.json` of a version. */
async function wanted(
  { source: folder }: LocalArtifact,
  config: unknown,
): Promise<SignaturePolicy | undefined> {
  try {
    const found = await readArtifact({ model: 'model', version: '1', folder, config });
    return found.config instanceof ServeError ? undefined : found.config.signature_policy;
  } catch (error) {
    // Files that are no model have no policy; they are refused when they are tried or loaded.
    if (error instanceof ServeError) return undefined;
    throw error;
  }
}
