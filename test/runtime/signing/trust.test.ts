import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { renameSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { readTrust } from '../../../runtime/signing/index.ts';
import { type Files, temporaryFiles } from '../../support/files.ts';
import { makeKey } from './keys.ts';

const NONE = {
  signatureKeys: undefined,
  signatureTrustRoot: undefined,
  signatureIdentity: undefined,
};

async function keysIn(content: Files, name = ''): Promise<number> {
  using files = temporaryFiles(content);
  const trust = await readTrust({ ...NONE, signatureKeys: path.join(files.path, name) });
  return trust.keys.size;
}

test('without settings, nobody is trusted', async () => {
  assert.deepEqual(await readTrust(NONE), { keys: new Map(), keyless: undefined });
});

test('keys are read from a file with one or several, and from a folder', async () => {
  const [one, two] = [makeKey().publicKey, makeKey('P-521').publicKey];
  assert.equal(await keysIn({ 'a.pem': one }, 'a.pem'), 1);
  assert.equal(await keysIn({ 'a.txt': `Ours:\n${one}\nTheirs:\n${two}` }, 'a.txt'), 2);
  assert.equal(await keysIn({ 'a.pem': one, 'b.pub': two, 'notes.txt': 'x', '.c.pem': 'x' }), 2);
});

test('keys are read from a mounted volume, whose files are links to a hidden folder', async () => {
  using files = temporaryFiles({ 'keys/..1/a.pem': makeKey().publicKey });
  const folder = path.join(files.path, 'keys');
  symlinkSync('..1', path.join(folder, '..data'));
  symlinkSync('..data/a.pem', path.join(folder, 'a.pem'));
  assert.equal((await readTrust({ ...NONE, signatureKeys: folder })).keys.size, 1);
  renameSync(path.join(folder, '..1'), path.join(folder, '..2'));
  await assert.rejects(readTrust({ ...NONE, signatureKeys: folder }), { code: 'INVALID_CONFIG' });
});

test('keys that cannot be used stop the start with a sentence', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
  for (const [content, message] of [
    [{ 'a.pem': makeKey().privateKey }, /give only public keys/],
    [{ 'a.pem': makeKey('secp224r1').publicKey }, /curves P-256, P-384 and P-521/],
    [{ 'a.pem': rsa.export({ type: 'spki', format: 'pem' }) as string }, /curves P-256/],
    [{ 'a.pem': '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----' }, /not a public key/],
    [{ 'a.pem': 'text' }, /there is no public key/],
    [{}, /there is no public key/],
  ] as const) {
    await assert.rejects(keysIn(content), { code: 'INVALID_CONFIG', message });
  }
  await assert.rejects(keysIn({}, 'none'), { code: 'INVALID_CONFIG', message: /cannot be read/ });
});

test('a trust root needs an identity, an identity a trust root, and both Bun', async () => {
  using files = temporaryFiles({ 'root.json': '{}', 'text.json': 'text' });
  const root = path.join(files.path, 'root.json');
  const identity = 'https://accounts.example.com release@example.com';
  const both = readTrust({ ...NONE, signatureTrustRoot: root, signatureIdentity: identity });
  if (process.versions.deno !== undefined) {
    const message = /cannot be used on Deno/;
    return await assert.rejects(both, { code: 'INVALID_CONFIG', message });
  }
  assert.deepEqual((await both).keyless, {
    root: {},
    issuer: 'https://accounts.example.com',
    identity: 'release@example.com',
  });
  for (const [signatureTrustRoot, signatureIdentity, message] of [
    [root, undefined, /needs SIGNATURE_IDENTITY/],
    [root, 'release@example.com', /must be an issuer and an identity/],
    [undefined, identity, /needs SIGNATURE_TRUST_ROOT/],
    [path.join(files.path, 'text.json'), identity, /not valid JSON/],
    [path.join(files.path, 'none.json'), identity, /cannot be read/],
  ] as const) {
    await assert.rejects(readTrust({ ...NONE, signatureTrustRoot, signatureIdentity }), {
      code: 'INVALID_CONFIG',
      message,
    });
  }
});
