/** @module The client of S3 stores. */

import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { S3Settings } from '../config/index.ts';
import { ServeError } from '../errors.ts';
import { missing } from './artifact.ts';

export type S3Package = typeof import('@aws-sdk/client-s3');

/** A client, with the package that it is from: services without S3 do not load it. */
export interface S3 {
  readonly client: S3Client;
  readonly sdk: S3Package;
}

/** A place in a bucket, from `s3://bucket/some/key`. */
export interface S3Place {
  readonly bucket: string;
  /** Without a slash at its start; may be empty. */
  readonly key: string;
}

export function parseS3Url(url: string): S3Place {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/*(.*)$/s.exec(url) ?? [];
  return { bucket, key };
}

const CONNECT_TIMEOUT_MS = 5000;
/** How long the store may send nothing. */
const IDLE_TIMEOUT_MS = 30_000;

/** Loads the package and makes a client, which connects when it is used. */
export async function openS3(settings: S3Settings): Promise<S3> {
  const sdk = await import('@aws-sdk/client-s3');
  const { accessKeyId, secretAccessKey, sessionToken, endpoint, region } = settings;
  const keys =
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  const client = new sdk.S3Client({
    region,
    // Without keys, the client finds those of the machine or the pod.
    ...(keys !== undefined && { credentials: keys }),
    // Other stores than that of AWS rarely have a host name for each bucket.
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    // Every byte is checked against SHA-256 digests, and not every store knows these checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
  });
  return { client, sdk };
}

/** The content of a response. @throws {ServeError} `STORE_UNAVAILABLE` when the connection breaks. */
export async function* bodyOf(output: GetObjectCommandOutput): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of output.Body as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    throw s3Error(error);
  }
}

/** The error of the runtime for one of the client. The names of S3's errors are public, its messages may have addresses. */
export function s3Error(error: unknown): unknown {
  if (error instanceof ServeError) return error;
  if (!(error instanceof Error)) return error;
  if (error.name === 'AbortError') return error;
  if (error.name === 'CredentialsProviderError') {
    const message =
      'The artifact store cannot be used without keys; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.';
    return new ServeError('STORE_UNAVAILABLE', message, { cause: error });
  }
  if (error.name === 'NoSuchKey' || error.name === 'NotFound') return missing();
  const isAnswer = '$fault' in error && /^\w+$/.test(error.name);
  const message = isAnswer
    ? `The artifact store refused a request: ${error.name}.`
    : 'The artifact store cannot be reached.';
  return new ServeError('STORE_UNAVAILABLE', message, { cause: error });
}

/** Sends a request. @throws {ServeError} `STORE_UNAVAILABLE`, `NOT_FOUND` */
export async function s3Request<T>(operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw s3Error(error);
  }
}
