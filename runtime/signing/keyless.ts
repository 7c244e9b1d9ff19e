/** @module Signatures without a key of the signer's own, which Sigstore's certificates and logs prove. */

import { rejected } from './bundle.ts';
import type { KeylessTrust } from './trust.ts';

/**
 * Verifies the certificate, its logged issue, the log entry and the signature. Nothing is asked online.
 *
 * @throws {ServeError} `REJECTED`
 */
export async function verifyKeyless(bundle: unknown, trust: KeylessTrust): Promise<void> {
  const [{ bundleFromJSON }, { toSignedEntity, toTrustMaterial, Verifier }, { TrustedRoot }] =
    await Promise.all([
      import('@sigstore/bundle'),
      import('@sigstore/verify'),
      import('@sigstore/protobuf-specs'),
    ]);
  const signer = await attempt(() => {
    const material = toTrustMaterial(TrustedRoot.fromJSON(trust.root));
    return new Verifier(material).verify(toSignedEntity(bundleFromJSON(bundle)));
  });
  // The library would compare the identity as a regular expression, in which a dot matches anything.
  const { subjectAlternativeName: identity, extensions } = signer.identity ?? {};
  if (identity !== trust.identity || extensions?.issuer !== trust.issuer) {
    throw rejected('The signature is valid, but by an identity that is not trusted.');
  }
}

function attempt<T>(verify: () => T): T {
  try {
    return verify();
  } catch (cause) {
    throw rejected(
      'The signature is not proved by the certificates and logs that are trusted.',
      cause,
    );
  }
}
