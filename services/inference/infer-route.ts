/**
 * `POST /v2/models/{model}[/versions/{version}]/infer`: tensors in, tensors out, in JSON or binary. The
 * native codec reads and writes the bodies.
 *
 * @module
 */

import {
  type Codec,
  type CodecRequest,
  type Outcome,
  type Runtime,
  ServeError,
} from '../../runtime/index.ts';
import { readBytes } from '../http/body.ts';
import { acceptedCoding, compress, decompress } from '../http/compression.ts';
import type { EncodedResponse, InferRoute } from '../http/edge.ts';
import { prepareInfer, type ResponseForm, sentOutputs, type Target } from './infer.ts';
import { targetOf } from './paths.ts';
import { prepareRaw } from './raw.ts';

const HEADER_LENGTH = 'Inference-Header-Content-Length';

type Bytes = Uint8Array<ArrayBuffer>;

interface InferInput {
  readonly target: Target;
  /** The request's JSON and tensors, or a body that is one raw tensor. */
  readonly content: CodecRequest | Bytes;
  /** The codings that the client takes, from its `Accept-Encoding`. */
  readonly accept: string | null;
}

/** @param path The route's template. */
export function inferRoute(
  { codec, config, routes }: Runtime,
  path: string,
): InferRoute<Bytes, InferInput, ResponseForm> {
  const limit = config.maxRequestBytes;
  return {
    path,
    limit,
    anyType: true,
    async read(request, announced, most) {
      const coding = request.headers.get('content-encoding');
      const body = await readBytes(request, announced, most);
      return coding === null ? body : decompress(body, coding.toLowerCase(), limit);
    },
    decode(body, { request: { headers, url } }) {
      const length = headerLength(headers.get(HEADER_LENGTH), body.length);
      const target = targetOf(url);
      const nonFinite = routes.get(target.model)?.nullIsNaN ? 'any' : 'literal';
      return {
        target,
        content: length === 0 ? body : parse(codec, body, length, { nonFinite, maxBytes: limit }),
        accept: headers.get('accept-encoding'),
      };
    },
    route: ({ target }) => target,
    prepare: ({ content }, version) =>
      content instanceof Uint8Array ? prepareRaw(version, content) : prepareInfer(content),
    respond: (outcome, { accept }) => pack(encode(codec, outcome), accept),
  };
}

/** Bytes of JSON in front of a binary body; -1 where all of it is JSON. @throws {ServeError} `INVALID_ARGUMENT` */
function headerLength(given: string | null, bodyLength: number): number {
  if (given === null) return -1;
  const length = /^\d{1,15}$/.test(given) ? Number(given) : -1;
  if (length >= 0 && length <= bodyLength) return length;
  throw new ServeError(
    'INVALID_ARGUMENT',
    `Inference-Header-Content-Length is ${JSON.stringify(given.slice(0, 40))}: expected a whole number from 0 to ${bodyLength}, the length of the body.`,
  );
}

function parse(codec: Codec, body: Bytes, length: number, options: ParseOptions): CodecRequest {
  try {
    return codec.parseInferRequest(body, length, options);
  } catch (error) {
    throw new ServeError('INVALID_ARGUMENT', error instanceof Error ? `${error.message}.` : '', {
      cause: error,
    });
  }
}

type ParseOptions = NonNullable<Parameters<Codec['parseInferRequest']>[2]>;
type Encoded = ReturnType<Codec['encodeInferResponse']>;

function encode(codec: Codec, outcome: Outcome<ResponseForm>): Encoded {
  const { version, context } = outcome;
  return codec.encodeInferResponse(
    {
      modelName: version.model,
      modelVersion: version.version,
      ...(context.id === '' ? {} : { id: context.id }),
      outputs: sentOutputs(outcome),
    },
    { nonFinite: context.nonFinite },
  );
}

function pack(
  { body, headerLength: json }: Encoded,
  accept: string | null,
): EncodedResponse | Promise<EncodedResponse> {
  const headers: Record<string, string> = {};
  if (json !== undefined) {
    headers['Content-Type'] = 'application/octet-stream';
    headers[HEADER_LENGTH] = String(json);
  }
  // A response that is a string is too short to be worth compressing.
  const coding = typeof body === 'string' ? undefined : acceptedCoding(accept, body.length);
  if (typeof body === 'string' || coding === undefined) return { body, headers };
  headers['Content-Encoding'] = coding;
  headers.Vary = 'Accept-Encoding';
  return compress(body, coding).then((packed) => ({ body: packed, headers }));
}
