/** @module What is particular to S3 stores: faults of the network and of the bucket, uploads in parts, and sources. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import {
  downloadSource,
  hashArtifact,
  type LocalArtifact,
  openArtifacts,
} from '../../../runtime/artifacts/index.ts';
import type { ServeError } from '../../../runtime/index.ts';
import { type TemporaryFiles, temporaryFiles } from '../../support/files.ts';
import { noS3, startS3 } from '../../support/s3.ts';

const BYTES = 6 * 1024 * 1024;

/** A proxy that passes on a limited number of bytes of each of its first responses, and then closes the connection. */
async function brokenProxy(endpoint: string, bytes: number, responses: number) {
  const { hostname, port } = new URL(endpoint);
  let left = responses;
  const proxy: Server = createServer((socket) => {
    const target = connect(Number(port), hostname);
    let passed = 0;
    socket.on('error', () => {}).on('close', () => target.destroy());
    target.on('error', () => {}).on('close', () => socket.destroy());
    socket.pipe(target);
    target.on('data', (chunk) => {
      passed += chunk.length;
      if (passed < bytes || left === 0) return void socket.write(chunk);
      left -= 1;
      target.destroy();
    });
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  const address = proxy.address();
  assert.ok(typeof address === 'object' && address !== null);
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    broken: () => responses - left,
    close: () => void proxy.close(),
  };
}

const started = noS3 === false ? await startS3('models') : undefined;
after(() => started?.[Symbol.asyncDispose]());

describe('artifacts in S3', { skip: noS3 }, () => {
  const server = started!;
  let files: TemporaryFiles;
  let big: LocalArtifact;
  const at = (...parts: string[]) => path.join(files.path, ...parts);
  const open = (bucket = 'models', endpoint = server.settings.endpoint) =>
    openArtifacts({ artifacts: `s3://${bucket}/prefix`, s3: { ...server.settings, endpoint } });
  const uploads = async () => {
    const command = new ListMultipartUploadsCommand({ Bucket: 'models' });
    return (await server.client.send(command)).Uploads ?? [];
  };

  before(async () => {
    files = temporaryFiles({ 'model.onnx': 'graph' });
    writeFileSync(at('big.onnx'), randomBytes(BYTES));
    big = await hashArtifact(at('big.onnx'));
  });

  after(() => files[Symbol.dispose]());

  test('a download goes on where the connection breaks', async () => {
    const store = open();
    await store.put(big);
    const proxy = await brokenProxy(server.settings.endpoint!, BYTES / 3, 2);
    const through = open('models', proxy.endpoint);
    const received: number[] = [];
    await through.fetch(big.digest, at('resumed'), { onProgress: (done) => received.push(done) });
    assert.equal(proxy.broken(), 2);
    assert.equal(received.at(-1), BYTES);
    assert.deepEqual(
      received,
      received.toSorted((a, b) => a - b),
    );
    assert.ok(readFileSync(at('resumed/model.onnx')).equals(readFileSync(at('big.onnx'))));
    through.close();
    store.close();
    proxy.close();
  });

  test('an upload that fails leaves no parts', async () => {
    writeFileSync(at('changing.onnx'), randomBytes(2 * BYTES));
    const artifact = await hashArtifact(at('changing.onnx'));
    writeFileSync(at('changing.onnx'), randomBytes(2 * BYTES));
    const store = open();
    await assert.rejects(store.put(artifact), { code: 'REJECTED' });
    assert.deepEqual(await uploads(), []);
    store.close();
  });

  test('a sweep ends uploads in parts that began long ago', async () => {
    // This server says of every upload that it began in 2010.
    for (const Key of ['prefix/sha256/ab/abc', 'another/key']) {
      await server.client.send(new CreateMultipartUploadCommand({ Bucket: 'models', Key }));
    }
    const store = open();
    await store.sweep();
    assert.deepEqual(
      (await uploads()).map(({ Key }) => Key),
      ['another/key'],
    );
    store.close();
  });

  test('a bucket that does not exist, and a server that does not answer, are errors without an address', async () => {
    const proxy = await brokenProxy(server.settings.endpoint!, 0, Number.POSITIVE_INFINITY);
    proxy.close();
    for (const [store, message] of [
      [open('no-such-bucket'), 'The artifact store refused a request: NoSuchBucket.'],
      [open('models', proxy.endpoint), 'The artifact store cannot be reached.'],
    ] as const) {
      await assert.rejects(store.put(await hashArtifact(at('model.onnx'))), {
        code: 'STORE_UNAVAILABLE',
        message,
      });
      store.close();
    }
  });

  describe('a source', () => {
    before(async () => {
      for (const [Key, Body] of [
        ['iris/model.onnx', 'graph'],
        ['iris/weights/a.bin', 'weights'],
        ['iris/', ''],
        ['iris/labels.txt', ''],
        ['evil/../../escape', 'x'],
        ['twice/a', 'x'],
        ['twice/A', 'x'],
      ] as const) {
        await server.client.send(
          new PutObjectCommand({ Bucket: 'models', Key, Body, ContentLength: Body.length }),
        );
      }
    });

    test('is one object', async () => {
      const url = 's3://models/iris/model.onnx';
      const file = await downloadSource(url, at('source-file'), server.settings);
      assert.equal(file, at('source-file/model.onnx'));
      assert.equal(readFileSync(file, 'utf8'), 'graph');
    });

    test('is all below a prefix', async () => {
      for (const [index, url] of ['s3://models/iris', 's3://models/iris/'].entries()) {
        const folder = await downloadSource(url, at(`source-${index}`), server.settings);
        const { files } = await hashArtifact(folder);
        assert.deepEqual(
          files.map((file) => file.path),
          ['labels.txt', 'model.onnx', 'weights/a.bin'],
        );
      }
    });

    test('that is wrong is refused with a sentence', async () => {
      for (const [url, code, message] of [
        ['s3://models/none', 'NOT_FOUND', /no such object/],
        ['s3://models/iri', 'NOT_FOUND', /no such object/],
        ['s3://no-bucket/iris', 'STORE_UNAVAILABLE', /NoSuchBucket/],
        ['s3://models/evil', 'REJECTED', /has a part '\.\.'/],
        ['s3://models/twice', 'REJECTED', /only by its case/],
        ['s3://models', 'INVALID_ARGUMENT', /s3:\/\/bucket\/key/],
        ['s3://models/', 'INVALID_ARGUMENT', /s3:\/\/bucket\/key/],
        ['https://models/iris', 'INVALID_ARGUMENT', /s3:\/\/bucket\/key/],
      ] as const) {
        const source = downloadSource(url, at('refused'), server.settings);
        await assert.rejects(source, (error: ServeError) => {
          assert.equal(error.code, code, `${url}: ${error.message}`);
          assert.match(error.message, message);
          return true;
        });
        assert.equal(existsSync(at('refused')), false);
      }
    });
  });
});

test('a prefix with more objects than an artifact may have is not listed to its end', async () => {
  let pages = 0;
  const server = createHttpServer((request, response) => {
    if (request.method === 'HEAD') return void response.writeHead(404).end();
    pages += 1;
    const objects = Array.from({ length: 1000 }, (_, index) => {
      return `<Contents><Key>many/${pages}-${index}</Key><Size>1</Size></Contents>`;
    });
    const more = '<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>';
    response.end(`<ListBucketResult>${more}${objects.join('')}</ListBucketResult>`);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  const keys = { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: undefined };
  using folder = temporaryFiles({});
  const source = downloadSource('s3://bucket/many', path.join(folder.path, 'source'), {
    ...{ endpoint, region: 'us-east-1', ...keys },
  });
  await assert.rejects(source, { code: 'PAYLOAD_TOO_LARGE', message: /more than 10000 objects/ });
  assert.equal(pages, 11);
  server.closeAllConnections();
  server.close();
});
