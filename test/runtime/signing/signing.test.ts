import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { hashArtifact } from '../../../runtime/artifacts/index.ts';
import {
  checkSignature,
  effectivePolicy,
  readTrust,
  sign,
  type Trust,
  verify,
} from '../../../runtime/signing/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { makeKey } from './keys.ts';

const files = temporaryFiles({
  'folder/model.onnx': 'graph',
  'folder/weights/a.bin': 'weights',
  'folder/.gitignore': '*.bin',
  'iris.onnx': 'graph',
  'alone/model.onnx': 'graph',
});
after(() => files[Symbol.dispose]());
const at = (...parts: string[]) => path.join(files.path, ...parts);

const NOBODY: Trust = { keys: new Map(), keyless: undefined };

/** Writes a file or folder of keys, and reads it as the settings do. */
async function trusting(...keys: readonly string[]): Promise<Trust> {
  using folder = temporaryFiles(
    Object.fromEntries(keys.map((key, index) => [`${index}.pem`, key])),
  );
  return await readTrust({
    signatureKeys: folder.path,
    signatureTrustRoot: undefined,
    signatureIdentity: undefined,
  });
}

for (const curve of ['P-256', 'P-384', 'P-521']) {
  test(`what a key on ${curve} signs is verified`, async () => {
    const key = makeKey(curve);
    const trust = await trusting(makeKey(curve).publicKey, key.publicKey);
    for (const source of [at('folder'), at('iris.onnx'), at('alone')]) {
      const bundle = await sign(source, key.privateKey);
      const signer = await verify(source, JSON.parse(JSON.stringify(bundle)), trust);
      assert.ok('key' in signer && trust.keys.has(signer.key));
      await assert.rejects(verify(source, bundle, NOBODY), { message: /key that is not trusted/ });
    }
  });
}

test('a signature without the name of its key is tried with every key', async () => {
  const key = makeKey();
  const bundle = (await sign(at('folder'), key.privateKey)) as {
    verificationMaterial: { publicKey: object };
  };
  bundle.verificationMaterial.publicKey = {};
  const keys = [makeKey('P-384'), makeKey(), key].map(({ publicKey }) => publicKey);
  await verify(at('folder'), bundle, await trusting(...keys));
  const others = await trusting(makeKey('P-384').publicKey, makeKey().publicKey);
  await assert.rejects(verify(at('folder'), bundle, others), { message: /does not match/ });
});

test('the signature of a model file holds for a folder with this file alone', async () => {
  const key = makeKey();
  const trust = await trusting(key.publicKey);
  const bundle = await sign(at('iris.onnx'), key.privateKey);
  await verify(at('alone'), bundle, trust);
});

test('files of git, and the signature itself, may be beside what is signed', async () => {
  const key = makeKey();
  const trust = await trusting(key.publicKey);
  const place = at('folder/model.sig');
  const bundle = await sign(at('folder'), key.privateKey, { signature: place });
  writeFileSync(place, JSON.stringify(bundle));
  writeFileSync(at('folder/.gitignore'), 'changed');
  await verify(at('folder'), bundle, trust);
  const without = await sign(at('alone'), key.privateKey);
  writeFileSync(at('alone/model.sig'), JSON.stringify(without));
  await assert.rejects(verify(at('alone'), without, trust), {
    message: /'model.sig' is not signed/,
  });
});

test('a signature among the files of a model has a name that the check accepts', async () => {
  const { privateKey, publicKey } = makeKey();
  const named = (name: string) => sign(at('alone'), privateKey, { signature: at('alone', name) });
  await assert.rejects(named('bundle.json'), { code: 'INVALID_ARGUMENT', message: /'\.sig'/ });
  const bundle = await named('..sig');
  writeFileSync(at('alone', '..sig'), JSON.stringify(bundle));
  const trust = await trusting(publicKey);
  assert.ok('key' in (await verify(at('alone'), bundle, trust)));
  rmSync(at('alone', '..sig'));
});

test('an encrypted key needs its password', async () => {
  const key = makeKey('P-256', 'secret');
  const bundle = await sign(at('folder'), key.privateKey, { password: 'secret' });
  await verify(at('folder'), bundle, await trusting(key.publicKey));
  for (const options of [{ password: 'wrong' }, {}]) {
    await assert.rejects(sign(at('folder'), key.privateKey, options), {
      code: 'INVALID_ARGUMENT',
      message: /cannot be read/,
    });
  }
});

test('keys on other curves, and texts that are no keys, do not sign', async () => {
  const wrong = { code: 'INVALID_ARGUMENT' };
  await assert.rejects(sign(at('folder'), makeKey('secp224r1').privateKey), wrong);
  await assert.rejects(sign(at('folder'), makeKey().publicKey), wrong);
  await assert.rejects(sign(at('folder'), 'text'), wrong);
});

test('the policy decides what is accepted', async () => {
  const key = makeKey();
  const trust = await trusting(key.publicKey);
  const bundle = await sign(at('iris.onnx'), key.privateKey);
  const { files: signed } = await hashArtifact(at('iris.onnx'));
  const check = async (given: unknown, policy: 'require' | 'warn' | 'off', by = trust) => {
    const { status, accepted, reason } = await checkSignature(signed, given, policy, by);
    assert.equal(reason === undefined, status === 'verified');
    return `${status} ${accepted ? 'accepted' : 'refused'}`;
  };
  for (const policy of ['warn', 'off'] as const) {
    assert.equal(await check(bundle, policy), 'verified accepted');
    assert.equal(await check(undefined, policy), 'unsigned accepted');
    assert.equal(await check(bundle, policy, NOBODY), 'invalid accepted');
  }
  assert.equal(await check(bundle, 'require'), 'verified accepted');
  assert.equal(await check(undefined, 'require'), 'unsigned refused');
  assert.equal(await check(null, 'require'), 'unsigned refused');
  assert.equal(await check({}, 'require'), 'invalid refused');
  assert.equal(await check(bundle, 'require', NOBODY), 'invalid refused');
});

test('a model may ask for a stricter policy than the server, not for a looser one', () => {
  assert.equal(effectivePolicy('off', 'require'), 'require');
  assert.equal(effectivePolicy('warn', 'require'), 'require');
  assert.equal(effectivePolicy('require', 'off'), 'require');
  assert.equal(effectivePolicy('warn', 'off'), 'warn');
  assert.equal(effectivePolicy('warn', undefined), 'warn');
});

// There is no default digest for keys on elliptic curves, as the library needs it; see `readTrust`.
const skip = process.versions.deno !== undefined && 'Deno cannot verify the log of Sigstore';

const keyless = JSON.parse(
  readFileSync(new URL('../../fixtures/signing/keyless.json', import.meta.url), 'utf8'),
) as {
  readonly issuer: string;
  readonly identity: string;
  readonly files: Readonly<Record<string, string>>;
  readonly root: Readonly<Record<string, unknown>>;
  readonly bundle: unknown;
};

/** What is trusted of the fixture, with changes. */
const keylessTrust = (change: object = {}): Trust => ({
  keys: new Map(),
  keyless: { root: keyless.root, issuer: keyless.issuer, identity: keyless.identity, ...change },
});

test('a signature without a key is verified by certificates and logs', { skip }, async () => {
  using model = temporaryFiles(keyless.files);
  const signer = await verify(model.path, keyless.bundle, keylessTrust());
  assert.deepEqual(signer, { issuer: keyless.issuer, identity: keyless.identity });
  writeFileSync(path.join(model.path, 'model.onnx'), 'changed');
  await assert.rejects(verify(model.path, keyless.bundle, keylessTrust()), {
    code: 'REJECTED',
    message: /'model.onnx' is not the one/,
  });
});

test('a signature without a key counts only by the identity, authority and logs that are trusted', {
  skip,
}, async () => {
  using model = temporaryFiles(keyless.files);
  const { root } = keyless;
  for (const [change, message] of [
    [{ identity: 'release@example.org' }, /identity that is not trusted/],
    [{ identity: 'release@exampleXcom' }, /identity that is not trusted/],
    [{ identity: '.*' }, /identity that is not trusted/],
    [{ issuer: 'https://accounts.example.org' }, /identity that is not trusted/],
    [{ root: { ...root, certificateAuthorities: [] } }, /not proved/],
    [{ root: { ...root, tlogs: [] } }, /not proved/],
    [{ root: { ...root, ctlogs: [] } }, /not proved/],
    [{ root: {} }, /not proved/],
    [{ root: 'text' }, /not proved/],
  ] as const) {
    await assert.rejects(
      verify(model.path, keyless.bundle, keylessTrust(change)),
      { code: 'REJECTED', message },
      JSON.stringify(change).slice(0, 100),
    );
  }
});

test('every changed part of a signature without a key is found out', { skip }, async () => {
  using model = temporaryFiles(keyless.files);
  const text = JSON.stringify(keyless.bundle);
  const values = [
    ...text.matchAll(
      /"(?:sig|payload|rawBytes|canonicalizedBody|signedEntryTimestamp|integratedTime)":"([^"]{8,})"/g,
    ),
  ];
  assert.ok(values.length >= 5, String(values.length));
  for (const { index, 0: member, 1: value = '' } of values) {
    const at = index + member.length - 1 - Math.floor(value.length / 2);
    const other = text[at] === '1' ? '2' : '1';
    const changed = JSON.parse(text.slice(0, at) + other + text.slice(at + 1));
    await assert.rejects(verify(model.path, changed, keylessTrust()), { code: 'REJECTED' }, member);
  }
});
