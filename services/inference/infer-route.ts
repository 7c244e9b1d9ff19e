/**
 * `POST /v2/models/{model}[/versions/{version}]/infer`: tensors in, tensors out, in JSON or binary. The
 * native codec reads and writes the bodies.
 *
 * @module
 */

import {
  type BodyShare,
  type Codec,
  type CodecRequest,
  fromEngine,
  type Outcome,
  type PackedTensor,
  type Runtime,
  ServeError,
  type Tensor,
} from '../../runtime/index.ts';
import { readBytes } from '../http/body.ts';
import { acceptedCoding, compress } from '../http/compression.ts';
import type { EncodedResponse, InferRoute } from '../http/edge.ts';
import { type ImageSender, prepareImages, sendsFiles } from './images.ts';
import { prepareInfer, type ResponseForm, sentOutputs, type Target } from './infer.ts';
import { targetReader } from './paths.ts';
import { prepareRaw } from './raw.ts';

const HEADER_LENGTH = 'Inference-Header-Content-Length';

type Bytes = Uint8Array<ArrayBuffer>;

/** JSON of more bytes is parsed on another thread, because it would block the HTTP thread for milliseconds. */
const PARSED_HERE = 64 * 1024;
/** Bodies of at most this many bytes are copied by the engine instead of lent to it. */
const SMALL = 64 * 1024;
/** Requests with more BYTES elements are also parsed on another thread. */
const STRINGS_HERE = 4096;
/** Responses that have a tensor of more bytes are encoded on another thread. */
const ENCODED_HERE = 64 * 1024;
/** Maximum BYTES elements of a request: the engine reads each from JavaScript, which takes 100 ns. */
const MAX_STRINGS = 131_072;

interface InferInput {
  readonly target: Target;
  /** The request's JSON and tensors, or a body that is one raw tensor. */
  readonly content: CodecRequest | Bytes;
  /** The owner of the memory of a body that will be lent to the engine. */
  readonly share: BodyShare | undefined;
  /** The request's headers, of which only long responses need one: `Accept-Encoding`. */
  readonly headers: Headers;
  /** Who waits for the response, which only images need. */
  readonly sender: ImageSender;
}

/** @param path The route's template. */
export function inferRoute(
  runtime: Runtime,
  path: string,
): InferRoute<Bytes, InferInput, ResponseForm> {
  const { codec, config, routes, imageTools: tools } = runtime;
  const limit = config.maxRequestBytes;
  const targetOf = targetReader();
  const limits = { maxBytes: limit, maxStrings: MAX_STRINGS };
  const takingNull: ParseOptions = { ...limits, nonFinite: 'any' };
  const takingWords: ParseOptions = { ...limits, nonFinite: 'literal' };
  return {
    path,
    limit,
    anyType: true,
    read: readBytes,
    decode(body, context) {
      const { headers, url } = context.request;
      const length = headerLength(headers.get(HEADER_LENGTH), body.length);
      const target = targetOf(url);
      const options = routes.get(target.model)?.nullIsNaN ? takingNull : takingWords;
      // This is decided first, because parsing may free the body, whose length is 0 then.
      const share = body.length > SMALL ? context.share : undefined;
      const toInput = (content: InferInput['content']): InferInput => ({
        target,
        content,
        share,
        headers,
        sender: context,
      });
      if (length === 0) return toInput(body);
      const parsed = parse(codec, body, length, options);
      if (parsed !== undefined) return toInput(parsed);
      return parseAsync(runtime, body, length, options, context.share).then(toInput);
    },
    route: ({ target }) => target,
    body: ({ content }) => (content instanceof Uint8Array ? undefined : content.json),
    prepare({ content, share, sender }, version) {
      const isRaw = content instanceof Uint8Array;
      const prepared = isRaw ? prepareRaw(version, content) : prepareInfer(content);
      if (sendsFiles(version, prepared)) {
        return prepareImages(version, prepared, {
          ...{ tools, sender },
          isText: (name) => !isRaw && !isBinary(content, name),
        });
      }
      return share === undefined ? prepared : { ...prepared, share };
    },
    respond(outcome, { headers }) {
      const encoded = encode(codec, outcome);
      return encoded instanceof Promise
        ? encoded.then((whole) => pack(whole, headers))
        : pack(encoded, headers);
    },
  };
}

const isBinary = ({ json }: CodecRequest, input: string): boolean =>
  json.inputs.some(
    ({ name, parameters }) => name === input && parameters.binary_data_size !== undefined,
  );

/** Bytes of JSON in front of a binary body; -1 if all of it is JSON. @throws {ServeError} `INVALID_ARGUMENT` */
function headerLength(given: string | null, bodyLength: number): number {
  if (given === null) return -1;
  const length = /^\d{1,15}$/.test(given) ? Number(given) : -1;
  if (length >= 0 && length <= bodyLength) return length;
  throw new ServeError(
    'INVALID_ARGUMENT',
    `Inference-Header-Content-Length is ${JSON.stringify(given.slice(0, 40))}: expected a whole number from 0 to ${bodyLength}, the length of the body.`,
  );
}

/** The request; undefined if parsing it would block the thread for long. */
function parse(
  codec: Codec,
  body: Bytes,
  length: number,
  options: ParseOptions,
): CodecRequest | undefined {
  if ((length === -1 ? body.length : length) > PARSED_HERE) return undefined;
  try {
    return codec.tryParseInferRequest(body, length, STRINGS_HERE, options);
  } catch (error) {
    throw asRequestError(error);
  }
}

type ParseOptions = NonNullable<Parameters<Codec['parseInferRequest']>[2]>;

async function parseAsync(
  { bodies, codec }: Runtime,
  body: Bytes,
  length: number,
  options: ParseOptions,
  share: BodyShare,
): Promise<CodecRequest> {
  const received = share.held;
  try {
    const parsing = codec.parseInferRequestAsync(body, length, bodies.bytes, options);
    const { request, taken } = await share.during(body.buffer, parsing);
    share.adopt(taken);
    if (length === -1) {
      share.free(body.buffer);
      share.give(received);
    }
    for (const { data } of Object.values(request.tensors)) {
      if (!Array.isArray(data)) share.own((data as Uint8Array<ArrayBuffer>).buffer);
    }
    return request;
  } catch (error) {
    throw asBudgetError(error, bodies.bytes.taken <= received);
  }
}

/** The error of the codec as a client may see it; an error that is not the client's fault stays as it is. */
function asRequestError(thrown: unknown): unknown {
  const error = fromEngine(thrown);
  return error.code === 'INTERNAL' ? thrown : error;
}

/** If there is no room for the elements of a request although no other request holds any, a retry would not help. */
function asBudgetError(cause: unknown, alone: boolean): unknown {
  if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'UNAVAILABLE') {
    return asRequestError(cause);
  }
  return alone
    ? new ServeError(
        'PAYLOAD_TOO_LARGE',
        "The request's elements need more memory than the server keeps for all requests together; send fewer rows.",
        { cause },
      )
    : new ServeError('OVERLOADED', cause.message, { cause });
}

type Encoded = ReturnType<Codec['encodeInferResponse']>;

function encode(codec: Codec, outcome: Outcome<ResponseForm>): Encoded | Promise<Encoded> {
  const { version, context } = outcome;
  const outputs = sentOutputs(outcome);
  const response = {
    modelName: version.model,
    modelVersion: version.version,
    id: context.id === '' ? undefined : context.id,
    outputs,
  };
  const options = { nonFinite: context.nonFinite };
  return outputs.some(({ tensor }) => isLarge(tensor))
    ? codec.encodeInferResponseAsync(response, options)
    : codec.encodeInferResponse(response, options);
}

const isLarge = ({ data }: Tensor | PackedTensor) =>
  ArrayBuffer.isView(data) && data.byteLength > ENCODED_HERE;

function pack(
  { body, headerLength: json }: Encoded,
  request: Headers,
): EncodedResponse | Promise<EncodedResponse> {
  // A response that is a string is too short to be worth compressing.
  if (typeof body === 'string') return { body };
  const headers: Record<string, string> = {};
  if (json !== undefined) {
    headers['Content-Type'] = 'application/octet-stream';
    headers[HEADER_LENGTH] = String(json);
  }
  const coding = acceptedCoding(request.get('accept-encoding'), body.length);
  if (coding === undefined) return { body, headers };
  headers['Content-Encoding'] = coding;
  headers.Vary = 'Accept-Encoding';
  return compress(body, coding).then((packed) => ({ body: packed, headers }));
}
