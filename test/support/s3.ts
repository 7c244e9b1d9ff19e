/** @module A store that speaks the S3 API: the server of moto, which the set-up installs with the Python clients. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from '../../runtime/config/index.ts';
import { freePort, ServerProcess } from './servers.ts';

const program = fileURLToPath(new URL('../../.millrace/python/bin/moto_server', import.meta.url));

/** Why tests with S3 are skipped; false where it is installed. The value for the option `skip` of a test. */
export const noS3: string | false = !existsSync(program) && 'the set-up has no Python clients';

export interface TestS3 extends AsyncDisposable {
  /** For what the tested code does not do. */
  readonly client: S3Client;
  readonly settings: S3Settings;
}

/** Starts a server on a free port, whose content is in its memory, with an empty bucket. The caller disposes of it. */
export async function startS3(bucket: string): Promise<TestS3> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const server = new ServerProcess({ path: program, env: {} }, ['-p', String(port)]);
  await server.answers(async () => (await fetch(endpoint)).ok);
  const keys = { accessKeyId: 'test', secretAccessKey: 'test' };
  const region = 'us-east-1';
  const client = new S3Client({ endpoint, region, credentials: keys, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    client,
    settings: { endpoint, region, ...keys, sessionToken: undefined },
    async [Symbol.asyncDispose]() {
      client.destroy();
      await server.end('SIGKILL');
    },
  };
}
