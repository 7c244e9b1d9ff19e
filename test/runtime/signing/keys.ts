/** @module Keys that sign models in tests. */

import { generateKeyPairSync } from 'node:crypto';

export interface TestKey {
  /** PEM. */
  readonly privateKey: string;
  readonly publicKey: string;
}

export function makeKey(namedCurve: string = 'P-256', passphrase?: string): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  return {
    privateKey: privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      ...(passphrase !== undefined && { cipher: 'aes-256-cbc', passphrase }),
    }) as string,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  };
}
