/** @module Reads the body of a batch in pieces, as fast as they can be stored. */

import { ServeError } from '../../runtime/index.ts';
import { asBodyError, wrongLength } from '../http/body.ts';

/** Maximum bytes of a batch. */
const MAX_BYTES = 1024 ** 3;

/** What a batch is made of: a body on each line, or a file of an archive for each. */
export type BatchForm = 'lines' | 'zip' | 'tar';

const FORMS: Readonly<Record<string, BatchForm>> = {
  'application/x-ndjson': 'lines',
  'application/ndjson': 'lines',
  'application/x-jsonlines': 'lines',
  'application/jsonl': 'lines',
  'application/zip': 'zip',
  'application/x-zip-compressed': 'zip',
  'application/x-tar': 'tar',
};

/** The types of bodies of batches, for the check of requests that change state. */
export const BATCH_TYPES: readonly string[] = Object.keys(FORMS);

/** The form of a batch, or its refusal, by its headers. */
export function batchForm({ headers }: Request): BatchForm | ServeError {
  const [type = ''] = (headers.get('content-type') ?? '').split(';');
  const form = FORMS[type.trim().toLowerCase()];
  if (form === undefined) {
    return new ServeError(
      'UNSUPPORTED_MEDIA_TYPE',
      'The body must be one JSON body on each line, with Content-Type: application/x-ndjson, or an archive of images, with application/zip or application/x-tar.',
    );
  }
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') {
    return new ServeError(
      'UNSUPPORTED_ENCODING',
      'A batch cannot be compressed; send it as it is.',
    );
  }
  const length = headers.get('content-length');
  return wrongLength(length === null ? undefined : Number(length), MAX_BYTES) ?? form;
}

/**
 * The pieces of a body.
 *
 * @param quietMs Maximum time without a piece.
 * @throws {ServeError} `PAYLOAD_TOO_LARGE`, `BODY_TIMEOUT` or `BODY_INCOMPLETE`
 */
export async function* batchPieces(
  { body }: Request,
  quietMs: number,
): AsyncGenerator<Uint8Array, void> {
  if (body === null) return;
  const reader = body.getReader();
  let received = 0;
  try {
    for (;;) {
      const { done, value } = await inTime(reader.read(), quietMs);
      if (done) return;
      received += value.byteLength;
      const tooLong = wrongLength(received, MAX_BYTES);
      if (tooLong !== undefined) throw tooLong;
      yield value;
    }
  } catch (error) {
    throw asBodyError(error);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function inTime<Result>(read: Promise<Result>, quietMs: number): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new ServeError('BODY_TIMEOUT', `Nothing of the batch came for ${quietMs} ms.`);
    timer = setTimeout(() => reject(error), quietMs);
  });
  try {
    return await Promise.race([read, late]);
  } finally {
    clearTimeout(timer);
  }
}
