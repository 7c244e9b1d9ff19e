import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ProbeRequest } from '../../../runtime/index.ts';
import { type TarMember, tarOf, zipOf } from '../../support/archives.ts';
import { temporaryFiles } from '../../support/files.ts';
import { FOUND, formOf, refuses, type TestGateway, testGateway } from './support.ts';

const PATH = '/admin/models/m/versions';
const sources = temporaryFiles({
  'good/model.onnx': 'good',
  'good/weights.bin': 'w',
  'one.onnx': 'one',
});
const probed: ProbeRequest[] = [];
let gateway: TestGateway;
before(async () => {
  const probe = async (request: ProbeRequest) => {
    probed.push({ ...request, folder: readdirSync(request.folder).join() });
    return FOUND;
  };
  gateway = await testGateway({ probe, config: { allowLocalSources: true, bodyTimeoutMs: 300 } });
  await gateway.register('m', 'v1', 'one');
  await gateway.send('DELETE', `${PATH}/v1`);
  await gateway.register('m', 'v2', 'two');
});
after(async () => {
  await gateway[Symbol.asyncDispose]();
  sources[Symbol.dispose]();
});

const uploads = () => readdirSync(path.join(gateway.runtime.config.stateDir, 'uploads'));

test('the fields of a form may come in any order, and with file names', async () => {
  const form = new FormData();
  form.set('artifact', new Blob(['three']));
  form.set('config', new Blob(['{"instances":2}']), 'model.json');
  form.set('signature', '{"a":1}');
  form.set('version', 'v3');
  const reply = await gateway.send('POST', PATH, form);
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  assert.deepEqual([reply.body.config, reply.body.bytes], [{ instances: 2 }, 5]);
  assert.equal(probed.at(-1)?.folder, 'model.onnx');
  assert.deepEqual(probed.at(-1)?.config, { instances: 2 });
  assert.deepEqual(uploads(), []);
});

test('a folder or a file on the server is registered where the settings allow it', async () => {
  const source = path.join(sources.path, 'good');
  const body = { source, version: 'v4', metadata: { from: 'disk' } };
  const reply = await gateway.send('POST', PATH, body);
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  assert.deepEqual(reply.body.metadata, { from: 'disk' });
  assert.equal(probed.at(-1)?.folder, 'model.onnx,weights.bin');
  const file = { source: path.join(sources.path, 'one.onnx'), version: 'v5' };
  assert.equal((await gateway.send('POST', PATH, file)).status, 201);
  assert.equal(probed.at(-1)?.folder, 'model.onnx');
  assert.ok(existsSync(source));
  await using strict = await testGateway();
  const refused = await strict.send('POST', PATH, body);
  assert.deepEqual([refused.status, refused.body.code], [403, 'FORBIDDEN']);
});

test('an archive is unpacked, and one that would write or read elsewhere is refused', async () => {
  const tar = async (members: readonly TarMember[]) => new Uint8Array(await tarOf(members));
  const folder = [
    { name: 'iris/model.onnx', text: 'model' },
    { name: 'iris/weights.bin', text: 'weights' },
  ];
  const reply = await gateway.register('tar', 'v1', await tar(folder));
  assert.equal(reply.status, 201, JSON.stringify(reply.body));
  assert.equal(probed.at(-1)?.folder, 'model.onnx,weights.bin');
  const zip = await gateway.register('zip', 'v1', new Uint8Array(zipOf(folder)));
  assert.equal(zip.body.digest, reply.body.digest);
  const before = await gateway.state();
  const escapes: readonly TarMember[] = [
    { name: '../model.onnx', text: 'x' },
    { name: '/etc/model.onnx', text: 'x' },
    { name: 'model.onnx', type: 'symlink', linkname: 'weights.bin' },
    { name: 'model.onnx', type: 'link', linkname: 'weights.bin' },
    { name: 'model.onnx', type: 'fifo' },
  ];
  for (const [i, member] of escapes.entries()) {
    const refused = await gateway.register('tar', `bad-${i}`, await tar([member]));
    assert.equal(refused.status, 422, JSON.stringify(refused.body));
  }
  assert.deepEqual(await gateway.state(), before);
  assert.deepEqual(uploads(), []);
});

test('a source with a link in it is refused, and nothing of it is copied', async () => {
  const folder = path.join(sources.path, 'linked');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'model.onnx'), 'x');
  symlinkSync('/etc/passwd', path.join(folder, 'weights.bin'));
  const reply = await gateway.send('POST', PATH, { source: folder, version: 'v9' });
  assert.deepEqual([reply.status, reply.body.code], [422, 'REJECTED']);
  assert.match(reply.body.error, /symbolic link/);
  assert.deepEqual(uploads(), []);
});

test('a body that stalls or ends early is refused, and leaves nothing behind', async () => {
  const boundary = 'x';
  const start = `--${boundary}\r\nContent-Disposition: form-data; name="artifact"; filename="a"\r\n\r\nabc`;
  const headers = { 'Content-Type': `multipart/form-data; boundary=${boundary}` };
  const post = (body: BodyInit) =>
    gateway.app.request(PATH, { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
  const stalled = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(start)),
  });
  const late = await post(stalled);
  assert.equal(late.status, 408);
  assert.match(await late.text(), /No part of the body was received for 300 ms/);
  const cut = await post(start);
  assert.equal(cut.status, 400);
  assert.match(await cut.text(), /damaged or incomplete/);
  assert.deepEqual(uploads(), []);
});

test('metadata of 64 MiB is refused before it has arrived', async () => {
  const form = formOf('x', { version: 'v6', metadata: `{"a":"${'x'.repeat(64 * 1024 * 1024)}"}` });
  const reply = await gateway.send('POST', PATH, form);
  assert.deepEqual([reply.status, reply.body.code], [413, 'PAYLOAD_TOO_LARGE']);
  assert.deepEqual(uploads(), []);
});

const fields = (given: Readonly<Record<string, string>>) => formOf('x', given);
const twice = fields({ version: 'v6' });
twice.append('version', 'v7');
const noFile = new FormData();
noFile.set('version', 'v6');
const twoFiles = fields({ version: 'v6' });
twoFiles.append('artifact', new Blob(['y']), 'b.onnx');
const FORM = { 'Content-Type': 'multipart/form-data; boundary=x' };

test('a STATE_DIR that cannot be written is unavailable', async () => {
  await using other = await testGateway({
    config: { stateDir: path.join(sources.path, 'one.onnx') },
  });
  const { status, body } = await other.register('m', 'v1');
  assert.deepEqual([status, body.error], [503, 'STATE_DIR cannot be written (ENOTDIR).']);
});

describe('mistakes', () => {
  refuses(() => gateway, 'POST', '/admin/models/', [
    ['m/versions', fields({}), 400, /version must be a string/],
    ['m/versions', fields({ version: '' }), 400, /letters, digits/],
    ['m/versions', fields({ version: '../v6' }), 400, /letters, digits/],
    ['m/versions', fields({ version: '.v6' }), 400, /letters, digits/],
    ['m/versions', fields({ version: 'v'.repeat(129) }), 400, /1 to 128/],
    ['m/versions', fields({ version: 'stable' }), 400, /name of a label/],
    ['..%2fm/versions', fields({ version: 'v6' }), 400, /name of a model/],
    ['%00/versions', fields({ version: 'v6' }), 400, /name of a model/],
    ['m/versions', noFile, 400, /no field artifact/],
    ['m/versions', twice, 400, /version occurs twice/],
    ['m/versions', twoFiles, 400, /artifact occurs twice/],
    ['m/versions', fields({ version: 'v6', colour: 'red' }), 400, /unknown field; its fields are/],
    ['m/versions', fields({ version: 'v6', ['__proto__']: '{}' }), 400, /unknown field/],
    ['m/versions', fields({ version: 'v6', metadata: '[]' }), 400, /metadata must be an object/],
    ['m/versions', fields({ version: 'v6', metadata: '{' }), 400, /metadata must be a JSON object/],
    ['m/versions', fields({ version: 'v6', metadata: '' }), 400, /metadata must be a JSON object/],
    ['m/versions', fields({ version: 'v6', metadata: '{"a":"\\u0000"}' }), 400, /NUL/],
    ['m/versions', fields({ version: 'v6', metadata: '{"\\ud800":1}' }), 400, /surrogate/],
    ['m/versions', fields({ version: 'v6', metadata: '{"a":1e999}' }), 400, /too large/],
    ['m/versions', fields({ version: 'v6', metadata: '['.repeat(200) }), 400, /moderate depth/],
    [
      'm/versions',
      fields({ version: 'v6', metadata: `{"a":"${'é'.repeat(33_000)}"}` }),
      413,
      /65536/,
    ],
    ['m/versions', fields({ version: 'v6', metadata: `"${'x'.repeat(131_072)}"` }), 413, /131072/],
    ['m/versions', fields({ version: 'v6', config: '{"instance":2}' }), 400, /write 'instances'/],
    ['m/versions', fields({ version: 'v6', config: '{"instances":0}' }), 400, /at least 1/],
    ['m/versions', fields({ version: 'v6', signature: '1' }), 400, /signature must be an object/],
    ['m/versions', fields({ version: 'v1' }), 409, /never used again/],
    ['m/versions', fields({ version: 'v2' }), 409, /another content/],
    ['m/versions', 'x', 400, /with a boundary/, { 'Content-Type': 'multipart/form-data' }],
    [
      'm/versions',
      '',
      400,
      /damaged or incomplete/,
      { 'Content-Type': 'Multipart/Form-Data; boundary=x' },
    ],
    ['m/versions', 'x', 415, /cannot be compressed/, { ...FORM, 'Content-Encoding': 'gzip' }],
    ['m/versions', '', 400, /damaged or incomplete/, FORM],
    ['m/versions', 'no form', 400, /damaged or incomplete/, FORM],
    [
      'm/versions',
      'a=b',
      415,
      /must be JSON/,
      { 'Content-Type': 'application/x-www-form-urlencoded' },
    ],
    ['m/versions', {}, 400, /source must be a string/],
    ['m/versions', { source: 's3://bucket/key' }, 400, /version must be a string/],
    ['m/versions', { source: 'http://host/model.onnx', version: 'v6' }, 400, /s3:\/\/bucket\/key/],
    ['m/versions', { source: 'model.onnx', version: 'v6' }, 400, /an absolute path/],
    ['m/versions', { source: 's3://bucket', version: 'v6' }, 400, /s3:\/\/bucket\/key/],
    ['m/versions', { source: '/none/such', version: 'v6' }, 404, /no such file or folder/],
    ['m/versions', { source: '/dev/zero', version: 'v6' }, 422, /neither a file nor a folder/],
    ['m/versions', { source: '/etc/\u0000', version: 'v6' }, 400, /absolute path/],
    ['m/versions', { source: 's3://b/k', version: 'v6', file: 'x' }, 400, /unknown key 'file'/],
    [
      'm/versions',
      fields({ version: 'v6' }),
      403,
      /other sites/,
      { Origin: 'https://evil.example' },
    ],
  ]);
});
