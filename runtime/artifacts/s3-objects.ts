/** @module Artifacts in a bucket of S3, or of any store that speaks its API. */

import { Readable } from 'node:stream';
import type { S3Settings } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import type { Objects, StoredObject } from './objects.ts';
import { bodyOf, openS3, parseS3Url, type S3, s3Request } from './s3-client.ts';

/** The least that S3 takes. It allows 10,000 parts, which is enough for files of 48 GiB. */
const PART_BYTES = 5 * 1024 * 1024;
/** Each is in memory, in up to three copies. */
const PARTS_AT_ONCE = 3;
/** An upload in parts that has not ended after this time has no writer any more. */
const ABANDONED_MS = 24 * 3600 * 1000;

export class S3Objects implements Objects {
  readonly #bucket: string;
  /** Empty, or ends with a slash. */
  readonly #prefix: string;
  readonly #settings: S3Settings;
  #opened: Promise<S3> | undefined;

  /** @param url `s3://bucket/prefix` */
  constructor(url: string, settings: S3Settings) {
    const { bucket, key } = parseS3Url(url);
    this.#bucket = bucket;
    this.#prefix = key === '' ? '' : `${key.replace(/\/+$/, '')}/`;
    this.#settings = settings;
  }

  async write(key: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { client } = await this.#open();
    const { Upload } = await import('@aws-sdk/lib-storage');
    const upload = new Upload({
      client,
      params: { ...this.#at(key), Body: Readable.from(copies(content)) },
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
    });
    await s3Request(upload.done());
  }

  async *read(key: string, start: number, limit?: number): AsyncGenerator<Uint8Array> {
    const { client, sdk } = await this.#open();
    const range = `bytes=${start}-${limit === undefined ? '' : start + limit - 1}`;
    // S3 refuses every range of an empty object.
    const isWhole = start === 0 && limit === undefined;
    const part = isWhole ? {} : { Range: range };
    const command = new sdk.GetObjectCommand({ ...this.#at(key), ...part });
    yield* bodyOf(await s3Request(client.send(command)));
  }

  async size(key: string): Promise<number | undefined> {
    const { client, sdk } = await this.#open();
    try {
      const found = await s3Request(client.send(new sdk.HeadObjectCommand(this.#at(key))));
      return found.ContentLength ?? 0;
    } catch (error) {
      if (error instanceof ServeError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** @param most Asks for no more pages when it has more objects than this. */
  async list(prefix: string, most = Number.POSITIVE_INFINITY): Promise<readonly StoredObject[]> {
    const { client, sdk } = await this.#open();
    const where = { Bucket: this.#bucket, Prefix: this.#prefix + prefix };
    const found: StoredObject[] = [];
    for (let token: string | undefined; ; ) {
      const command = new sdk.ListObjectsV2Command({ ...where, ContinuationToken: token });
      const page = await s3Request(client.send(command));
      for (const { Key = '', Size: bytes = 0, LastModified: at } of page.Contents ?? []) {
        found.push({
          key: Key.slice(this.#prefix.length),
          bytes,
          modified: at?.getTime() ?? Date.now(),
        });
      }
      token = page.NextContinuationToken;
      if (token === undefined || found.length > most) return found;
    }
  }

  async remove(key: string): Promise<void> {
    const { client, sdk } = await this.#open();
    await s3Request(client.send(new sdk.DeleteObjectCommand(this.#at(key))));
  }

  async sweep(): Promise<void> {
    const { client, sdk } = await this.#open();
    const where = { Bucket: this.#bucket, Prefix: this.#prefix };
    const page = await s3Request(client.send(new sdk.ListMultipartUploadsCommand(where)));
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Initiated === undefined || Date.now() - Initiated.getTime() < ABANDONED_MS) continue;
      const upload = { Bucket: this.#bucket, Key, UploadId };
      await s3Request(client.send(new sdk.AbortMultipartUploadCommand(upload)));
    }
  }

  close(): void {
    void this.#opened?.then(
      ({ client }) => client.destroy(),
      () => {},
    );
  }

  #open(): Promise<S3> {
    this.#opened ??= openS3(this.#settings);
    return this.#opened;
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }
}

/** The upload keeps chunks until their part is sent, but they are valid only until the next one. */
async function* copies(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of content) yield Buffer.from(chunk);
}
