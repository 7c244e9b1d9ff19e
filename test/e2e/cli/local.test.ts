/** @module Commands that need no server. */

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ServiceChild } from '../../support/child.ts';
import { millrace, model } from './support.ts';

/** A server whose responses are 200 or 400. The caller declares it with `await using`. */
async function listen(accepts: (request: IncomingMessage) => boolean) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(accepts(request) ? 200 : 400).end('{}'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe('without a server', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'millrace-cli-'));
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = (name: string, text: string | Buffer) =>
      writeFileSync(path.join(folder, name), text);
    pem('key.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }));
    pem('key.pub', publicKey.export({ type: 'spki', format: 'pem' }));
    mkdirSync(path.join(folder, 'model'));
    cpSync(model('v2.0'), path.join(folder, 'model', 'model.onnx'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const at = (...names: readonly string[]) => path.join(folder, ...names);
  const files = () => ['--model-path', at('model'), '--signature', at('model.sig')];

  test('models sign writes a signature that models verify accepts, until a byte changes', async () => {
    const signed = await millrace(['models', 'sign', ...files(), '--key', at('key.pem')]);
    assert.equal(signed.code, 0, signed.stderr);
    const verify = () =>
      millrace(['models', 'verify', ...files(), '--key', at('key.pub'), '--json']);
    const { code, stdout, stderr } = await verify();
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).verified, true);
    writeFileSync(at('model', 'labels.txt'), 'one more file');
    const tampered = await verify();
    assert.equal(tampered.code, 1);
    assert.equal(JSON.parse(tampered.stdout).code, 'REJECTED');
    rmSync(at('model', 'labels.txt'));
  });

  test('models register --offline writes a version that a server then serves', async () => {
    const stores = { STATE_DIR: at('state'), CACHE_DIR: at('cache') };
    const given = ['--name', 'offline', '--version', 'v1', '--model-path', at('model')];
    const made = await millrace(['models', 'register', ...given, '--offline', '--json'], stores);
    assert.equal(made.code, 0, made.stderr);
    assert.equal(JSON.parse(made.stdout).state, 'ready');
    await using child = new ServiceChild('services/main.ts', {
      ...stores,
      ...{ SERVICE: 'gateway', PORT: '0' },
    });
    const url = `http://127.0.0.1:${await child.port()}`;
    const response = await fetch(`${url}/v2/models/offline/versions/v1`);
    assert.equal(response.status, 200);
    const refused = await millrace(['models', 'register', ...given, '--offline'], stores);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /embedded database .* is in use by another process/);
  });

  test('doctor says what is configured and does not work, with a remedy', async () => {
    const redis = { REDIS_URL: 'redis://127.0.0.1:1', SIGNATURE_POLICY: 'require' };
    const settings = { ...redis, STATE_DIR: at('doctor'), WEBHOOK_SECRET: 'a-secret' };
    const { code, stdout, stderr } = await millrace(['doctor', '--json'], settings);
    assert.equal(code, 1);
    assert.match(stderr, /Not working: response cache, signatures/);
    assert.equal(JSON.parse(stdout).checks.length, 10);
    assert.doesNotMatch(stdout, /a-secret/);
  });

  test('a setting that is wrong ends with 2 and says what to write', async () => {
    const { code, stderr } = await millrace(['doctor'], { MAX_WORKERS: 'many' });
    assert.equal(code, 2);
    assert.match(stderr, /MAX_WORKERS must be a whole number/);
  });

  test('codegen ends with 3 without a server, and conform --list prints JSON', async () => {
    const { code, stderr } = await millrace(['codegen', '--url', 'http://127.0.0.1:1']);
    assert.deepEqual([code, /did not respond/.test(stderr)], [3, true], stderr);
    const { stdout } = await millrace(['conform', '--list', '--json', '--only', 'ready']);
    assert.ok(JSON.parse(stdout).every(({ id }: { id: string }) => id.includes('ready')));
  });

  test('register --offline takes only JSON objects, and bench whole clients', async () => {
    writeFileSync(at('empty.json'), '');
    writeFileSync(at('list.json'), '[]');
    const given = ['--name', 'm', '--version', 'v1', '--model-path', at('model'), '--offline'];
    for (const [option, file] of [
      ['--config', 'empty.json'],
      ['--signature', 'empty.json'],
      ['--signature', 'list.json'],
    ] as const) {
      const args = ['models', 'register', ...given, option, at(file)];
      const { code, stderr } = await millrace(args, { STATE_DIR: at('no-state') });
      assert.equal(code, 1, stderr);
      assert.match(stderr, new RegExp(`The file of ${option} is not a JSON object`));
    }
    assert.equal((await millrace(['bench', '--connections', '0.5'])).code, 2);
  });

  test('an API key goes into its own header, also with bench', async () => {
    await using server = await listen(({ headers }) => headers['x-api-key'] === 'mk_a');
    const given = ['--url', server.url, '--token', 'mk_a', '--seconds', '0.1', '--json'];
    const { stdout } = await millrace(['bench', ...given]);
    const { requests, failed } = JSON.parse(stdout);
    assert.ok(requests > 0);
    assert.equal(failed, 0);
  });

  test('a model that cannot be read ends register with 1, and its name', async () => {
    await using server = await listen(() => true);
    const given = ['--url', server.url, '--name', 'm', '--version', 'v1'];
    const unreadable = ['--model-path', '/proc/self/mem'];
    const { code, stderr } = await millrace(['models', 'register', ...given, ...unreadable]);
    assert.deepEqual([code, /Cannot read mem: EIO/.test(stderr)], [1, true], stderr);
  });

  test('an unknown command and a missing option end with 2', async () => {
    assert.equal((await millrace(['modles'])).code, 2);
    assert.equal((await millrace(['jobs', 'submit'])).code, 2);
    assert.equal((await millrace(['models', '--help'])).code, 0);
  });

  test('completion completes commands and options in bash', async () => {
    const { stdout } = await millrace(['completion', 'bash']);
    const complete = (...words: readonly string[]) =>
      execFileSync(
        'bash',
        [
          '-c',
          `${stdout}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _millrace; echo "\${COMPREPLY[@]}"`,
        ],
        { encoding: 'utf8' },
      ).trim();
    assert.equal(complete('millrace', 'mod'), 'models');
    assert.equal(complete('millrace', 'models', 'prom'), 'promote');
    assert.equal(complete('millrace', 'models', 'register', '--off'), '--offline');
  });

  test('completion prints a script for each shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await millrace(['completion', shell]);
      assert.equal(code, 0);
      assert.match(stdout, /millrace/);
      if (spawnSync(shell, ['--version']).status === 0) {
        execFileSync(shell, ['-n'], { input: stdout });
      }
    }
    assert.equal((await millrace(['completion', 'csh'])).code, 2);
  });

  test('serve takes one model file', async () => {
    const settings = { STATE_DIR: at('serve'), CACHE_DIR: at('cache'), PORT: '0' };
    await using child = new ServiceChild('services/main.ts', settings, [at('model', 'model.onnx')]);
    const { ports } = (await child.line('ready')) as { ports: Record<string, number> };
    const response = await fetch(`http://127.0.0.1:${ports.inference}/v2/models/model`);
    assert.deepEqual(((await response.json()) as { versions: string[] }).versions, ['1']);
  });
});
