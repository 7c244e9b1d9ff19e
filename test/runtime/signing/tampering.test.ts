/** @module What somebody may change about a signed model, or about its signature: all of it is found out, with its reason. */

import assert from 'node:assert/strict';
import { createPrivateKey, sign as signBytes } from 'node:crypto';
import { appendFileSync, linkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import type { ServeError } from '../../../runtime/index.ts';
import { readTrust, sign, type Trust, verify } from '../../../runtime/signing/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { makeKey } from './keys.ts';

const FILES = {
  'm/model.onnx': 'graph',
  'm/weights/a.bin': 'weights a',
  'm/weights/b.bin': 'weights b',
};
const owner = makeKey();
const stranger = makeKey();
let trust: Trust;

before(async () => {
  using files = temporaryFiles({ 'owner.pem': owner.publicKey });
  trust = await readTrust({
    signatureKeys: path.join(files.path, 'owner.pem'),
    signatureTrustRoot: undefined,
    signatureIdentity: undefined,
  });
});

/** A bundle, as far as these tests read it. */
interface Bundle {
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string }[] };
}

/** Checks that a signed folder is refused after a change. */
async function refused(
  change: (folder: string, bundle: Bundle) => unknown,
  message: RegExp,
): Promise<void> {
  using files = temporaryFiles(FILES);
  const folder = path.join(files.path, 'm');
  const bundle = (await sign(folder, owner.privateKey)) as Bundle;
  await verify(folder, bundle, trust);
  const changed = change(folder, bundle) ?? bundle;
  await assert.rejects(verify(folder, changed, trust), (error: ServeError) => {
    assert.equal(error.code, 'REJECTED', error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\/tmp/);
    return true;
  });
}

const CHANGED_FILES: readonly (readonly [string, (folder: string) => void, RegExp])[] = [
  [
    'a byte of the model',
    (f) => writeFileSync(`${f}/model.onnx`, 'grapH'),
    /'model.onnx' is not the one/,
  ],
  [
    'a byte of the weights',
    (f) => writeFileSync(`${f}/weights/a.bin`, 'weights b'),
    /'weights\/a.bin' is not/,
  ],
  [
    'a byte at the end',
    (f) => appendFileSync(`${f}/model.onnx`, '\0'),
    /'model.onnx' is not the one/,
  ],
  ['an empty file', (f) => writeFileSync(`${f}/weights/b.bin`, ''), /'weights\/b.bin' is not/],
  ['an extra file', (f) => writeFileSync(`${f}/extra`, ''), /'extra' is not signed/],
  ['an extra hidden file', (f) => writeFileSync(`${f}/.hidden`, ''), /'.hidden' is not signed/],
  [
    'an extra configuration',
    (f) => writeFileSync(`${f}/model.json`, '{}'),
    /'model.json' is not signed/,
  ],
  ['a missing file', (f) => rmSync(`${f}/weights/b.bin`), /'weights\/b.bin' is missing/],
  [
    'a renamed file',
    (f) => renameSync(`${f}/weights/a.bin`, `${f}/weights/c.bin`),
    /'weights\/a.bin' is missing/,
  ],
  [
    'a moved file',
    (f) => renameSync(`${f}/weights/a.bin`, `${f}/a.bin`),
    /'weights\/a.bin' is missing/,
  ],
  [
    'two exchanged files',
    (f) => {
      renameSync(`${f}/weights/a.bin`, `${f}/weights/c`);
      renameSync(`${f}/weights/b.bin`, `${f}/weights/a.bin`);
      renameSync(`${f}/weights/c`, `${f}/weights/b.bin`);
    },
    /'weights\/a.bin' is not/,
  ],
  [
    'a link to the same content',
    (f) => {
      renameSync(`${f}/model.onnx`, `${f}/../other`);
      symlinkSync('../other', `${f}/model.onnx`);
    },
    /links are not allowed/,
  ],
  ['a hard link', (f) => linkSync(`${f}/model.onnx`, `${f}/../other`), /links are not allowed/],
];

for (const [what, change, message] of CHANGED_FILES) {
  test(`tampering: ${what}`, () => refused(change, message));
}

/** The change of a member of a bundle or statement: its path, and the new value or a function of the old one. */
type Change = readonly [what: string, path: string, value: unknown, message: RegExp];

function set(object: object, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop()!;
  const parent = names.reduce(
    (at, name) => at[name] as Record<string, unknown>,
    object as Record<string, unknown>,
  );
  parent[last] = typeof value === 'function' ? value(parent[last]) : value;
}

const twice = (list: readonly unknown[]) => [...list, list[0]];

const BUNDLES: readonly Change[] = [
  ['no envelope', 'dsseEnvelope', undefined, /not a bundle .*dsseEnvelope/],
  ['a text as envelope', 'dsseEnvelope', 'text', /not a bundle .*dsseEnvelope/],
  ['another form', 'mediaType', 'application/json', /not a bundle .*of the type/],
  ['no signature', 'dsseEnvelope.signatures', [], /signatures: there must be exactly one/],
  ['two signatures', 'dsseEnvelope.signatures', twice, /signatures: there must be exactly one/],
  ['no base64', 'dsseEnvelope.signatures.0.sig', '?', /sig: it must be base64/],
  ['an empty signature', 'dsseEnvelope.signatures.0.sig', '', /does not match/],
  ['a changed signature', 'dsseEnvelope.signatures.0.sig', flip, /does not match/],
  ['a changed payload', 'dsseEnvelope.payload', flip, /does not match/],
  ['another kind of payload', 'dsseEnvelope.payloadType', 'text/plain', /payloadType/],
  ['another key', 'verificationMaterial.publicKey.hint', '0'.repeat(64), /is not trusted/],
  ['a certificate', 'verificationMaterial.publicKey', undefined, /identity, and none is trusted/],
];

for (const [what, path, value, message] of BUNDLES) {
  test(`tampering: ${what}`, () => refused((_, bundle) => set(bundle, path, value), message));
}

for (const bundle of ['text', [], 1, {}]) {
  test(`tampering: ${JSON.stringify(bundle)} as bundle`, () =>
    refused(() => bundle, /not a bundle/));
}

/** Signs a changed statement, with the key that is trusted unless another is given. */
function resign(bundle: Bundle, change: (statement: object) => void, key = owner): void {
  const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString());
  change(statement);
  const payload = Buffer.from(JSON.stringify(statement));
  const type = bundle.dsseEnvelope.payloadType;
  const head = `DSSEv1 ${type.length} ${type} ${payload.length} `;
  const bytes = Buffer.concat([Buffer.from(head), payload]);
  const sig = signBytes('sha256', bytes, createPrivateKey(key.privateKey)).toString('base64');
  bundle.dsseEnvelope = {
    payload: payload.toString('base64'),
    payloadType: type,
    signatures: [{ sig }],
  };
}

/** Statements that no signer makes, so that even a key that is trusted does not vouch for them. */
const STATEMENTS: readonly Change[] = [
  ['another type', '_type', 'https://in-toto.io/Statement/v0.1', /_type/],
  ['another predicate', 'predicateType', 'https://slsa.dev/provenance/v1', /predicateType/],
  ['the old predicate', 'predicateType', 'https://model_signing/Digests/v0.1', /predicateType/],
  ['no subject', 'subject', [], /subject: there must be exactly one/],
  ['two subjects', 'subject', twice, /subject: there must be exactly one/],
  ['another digest of all', 'subject.0.digest.sha256', '0'.repeat(64), /contradicts itself/],
  ['another order', 'predicate.resources', (list: []) => list.toReversed(), /contradicts itself/],
  ['a file less', 'predicate.resources', (list: []) => list.slice(1), /contradicts itself/],
  ['the same file twice', 'predicate.resources', twice, /twice/],
  ['no files', 'predicate.resources', [], /resources: there must be at least one/],
  ['a weak digest', 'predicate.resources.0.algorithm', 'md5', /algorithm/],
  ['a digest that is none', 'predicate.resources.0.digest', 'x', /digest/],
  ['a path that leads out', 'predicate.resources.0.name', '../model.onnx', /'\.\.'/],
  ['an absolute path', 'predicate.resources.0.name', '/model.onnx', /absolute/],
  ['another spelling of a path', 'predicate.resources.0.name', './model.onnx', /empty part/],
  ['the whole among files', 'predicate.resources.0.name', '.', /names others/],
  ['parts of files', 'predicate.serialization.method', 'shards', /method/],
  ['another hash', 'predicate.serialization.hash_type', 'blake3', /hash_type/],
];

for (const [what, path, value, message] of STATEMENTS) {
  test(`tampering: a statement with ${what}`, () =>
    refused((_, bundle) => resign(bundle, (statement) => set(statement, path, value)), message));
}

test('tampering: the same statement by a stranger', () =>
  refused((_, bundle) => resign(bundle, () => {}, stranger), /does not match/));

test('tampering: a file that the signer left out, where a model may be read from', () =>
  refused((folder, bundle) => {
    resign(bundle, (s) => set(s, 'predicate.serialization.ignore_paths', ['model.json']));
    writeFileSync(path.join(folder, 'model.json'), '{}');
  }, /'model.json' is not signed/));

test('tampering: the signature of another model', async () => {
  using files = temporaryFiles({ 'other/model.onnx': 'other' });
  const other = await sign(path.join(files.path, 'other'), owner.privateKey);
  await refused(() => other, /'model.onnx' is not the one/);
});

test('tampering: the signature of a model file, for a folder', async () => {
  using files = temporaryFiles({ 'model.onnx': 'graph' });
  const file = await sign(path.join(files.path, 'model.onnx'), owner.privateKey);
  await refused(() => file, /single model file, but the model is a folder/);
});

function flip(base64: string): string {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bytes.length - 1]! ^= 1;
  return bytes.toString('base64');
}
