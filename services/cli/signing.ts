/** @module `millrace models sign` and `verify`: OpenSSF signatures of model files and folders, without a server. */

import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { readTrust, type Signer, signModel, verifyModel } from '../../runtime/index.ts';
import { print } from './output.ts';
import { refusing } from './refusing.ts';
import { readText } from './register.ts';
import { Refused } from './server.ts';

interface Common {
  readonly modelPath: string;
  readonly signature: string;
  readonly json?: boolean;
}

interface SignOptions extends Common {
  readonly key: string;
  readonly passwordFile?: string;
}

interface VerifyOptions extends Common {
  readonly key?: string;
  readonly trustRoot?: string;
  readonly identity?: string;
}

export function addSigning(models: Command): void {
  models
    .command('sign')
    .description('Sign a model file or folder with an EC key')
    .requiredOption('--model-path <path>', 'the file or folder')
    .requiredOption('--key <file>', 'the private key, PEM, on P-256, P-384 or P-521')
    .option('--password-file <file>', 'the password of the key')
    .option('--signature <file>', 'where to write the bundle', 'model.sig')
    .option('--json', 'print JSON')
    .action(sign);
  models
    .command('verify')
    .description('Verify the signature of a model file or folder')
    .requiredOption('--model-path <path>', 'the file or folder')
    .option('--signature <file>', 'the bundle', 'model.sig')
    .option('--key <path>', 'a public key, PEM, or a folder of them')
    .option('--trust-root <file>', 'trusted_root.json of Sigstore, for signatures without a key')
    .option('--identity <text>', 'the issuer and the identity that must have signed')
    .option('--json', 'print JSON')
    .action(verify);
}

async function sign(options: SignOptions): Promise<void> {
  const { modelPath, key, passwordFile, signature } = options;
  const password = passwordFile === undefined ? undefined : (await readText(passwordFile)).trim();
  const bundle = await refusing(signModel(modelPath, await readText(key), { password, signature }));
  await writeFile(signature, JSON.stringify(bundle));
  print(options, { model: modelPath, signature }, () => `The signature is in ${signature}.`);
}

async function verify(options: VerifyOptions, command: Command): Promise<void> {
  const { modelPath, signature, key, trustRoot, identity } = options;
  if (key === undefined && trustRoot === undefined) {
    command.error('error: write --key, or --trust-root and --identity');
  }
  const bundle = toBundle(signature, await readText(signature));
  const trust = await refusing(
    readTrust({ signatureKeys: key, signatureTrustRoot: trustRoot, signatureIdentity: identity }),
  );
  const signer = await refusing(verifyModel(modelPath, bundle, trust));
  print(options, { verified: true, signer }, () => `The model is as ${nameOf(signer)} signed it.`);
}

const nameOf = (signer: Signer): string =>
  'key' in signer ? `the key ${signer.key.slice(0, 16)}…` : signer.identity;

function toBundle(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(`${file} is not a signature bundle, which is JSON`);
  }
}
