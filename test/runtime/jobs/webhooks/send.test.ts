import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readAllowed } from '../../../../runtime/jobs/webhooks/destinations.ts';
import { type Sender, send } from '../../../../runtime/jobs/webhooks/send.ts';
import { sign } from '../../../../runtime/jobs/webhooks/signature.ts';

interface Received {
  readonly host: string | undefined;
  readonly url: string | undefined;
  readonly body: string;
}

interface Receiver extends AsyncDisposable {
  readonly port: number;
  readonly received: Received[];
}

async function receiver(
  reply: http.RequestListener,
  tls?: { readonly key: string; readonly cert: string },
): Promise<Receiver> {
  const received: Received[] = [];
  const listener: http.RequestListener = (request, response) => {
    let body = '';
    request.on('data', (piece) => {
      body += piece;
    });
    request.on('end', () => {
      received.push({ host: request.headers.host, url: request.url, body });
      reply(request, response);
    });
  };
  const server =
    tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const never = new AbortController().signal;
const local: Sender = { allowed: readAllowed(['127.0.0.0/8']), resolve: async () => ['127.0.0.1'] };
const post = (sender: Sender, url: string, signal = never) =>
  send(sender, url, '{"a":1}', { 'Content-Type': 'application/json' }, signal);

test('a webhook is signed as documented', () => {
  const mac = createHmac('sha256', 'key').update('1700000000.{"a":1}').digest('hex');
  assert.equal(sign('{"a":1}', 1_700_000_000, 'key'), `t=1700000000,v1=${mac}`);
});

test('a webhook reaches the address that was checked, under the name of its host', async () => {
  await using server = await receiver((_request, response) => response.end());
  const status = await post(local, `http://hooks.test:${server.port}/a?b=c`);
  assert.equal(status, 200);
  const host = `hooks.test:${server.port}`;
  assert.deepEqual(server.received, [{ host, url: '/a?b=c', body: '{"a":1}' }]);
});

test('a name is resolved once, so that it cannot change after the check', async () => {
  await using server = await receiver((_request, response) => response.end());
  const answers = [['8.8.8.8'], ['127.0.0.1']];
  let lookups = 0;
  const rebinding: Sender = {
    allowed: readAllowed([]),
    resolve: async () => answers[lookups++]!,
  };
  const stop = new AbortController();
  const sent = post(rebinding, `https://hooks.test:${server.port}/`, stop.signal);
  setImmediate(() => stop.abort());
  await assert.rejects(sent);
  assert.equal(lookups, 1);
  await assert.rejects(post(rebinding, `https://hooks.test:${server.port}/`), /of the internet/);
  assert.deepEqual(server.received, []);
});

test('a redirect is not followed', async () => {
  await using target = await receiver((_request, response) => response.end());
  await using server = await receiver((_request, response) => {
    response.writeHead(307, { Location: `http://127.0.0.1:${target.port}/` }).end();
  });
  assert.equal(await post(local, `http://hooks.test:${server.port}/`), 307);
  assert.deepEqual(target.received, []);
});

test('a response without an end is left after its status', async () => {
  const closed = Promise.withResolvers<void>();
  await using server = await receiver((request, response) => {
    response.write('still here');
    request.socket.on('close', () => closed.resolve());
  });
  assert.equal(await post(local, `http://hooks.test:${server.port}/`), 200);
  await closed.promise;
});

test('a stop ends a request whose receiver does not answer', async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await receiver(() => asked.resolve());
  const stop = new AbortController();
  const sent = post(local, `http://hooks.test:${server.port}/`, stop.signal);
  await asked.promise;
  stop.abort();
  await assert.rejects(sent);
  const hanging: Sender = { ...local, resolve: () => new Promise(() => {}) };
  await assert.rejects(post(hanging, 'http://hooks.test/', AbortSignal.abort(new Error('stop'))));
});

test('the certificate must be that of the name', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-webhook-'));
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-keyout', `${folder}/key`, '-out', `${folder}/cert`, '-days', '2'],
        ...['-subj', '/CN=hooks.test', '-addext', 'subjectAltName=DNS:hooks.test'],
      ],
      { stdio: 'pipe' },
    );
    const [key, cert] = ['key', 'cert'].map((name) => readFileSync(`${folder}/${name}`, 'utf8'));
    await using server = await receiver((_request, response) => response.end(), {
      key: key!,
      cert: cert!,
    });
    const trusting = { ...local, ca: cert! };
    assert.equal(await post(trusting, `https://hooks.test:${server.port}/`), 200);
    await assert.rejects(post(trusting, `https://other.test:${server.port}/`));
    await assert.rejects(post(local, `https://hooks.test:${server.port}/`));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
