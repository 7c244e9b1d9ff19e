/** @module The infer route of the protocol at the shared edge: bodies in bytes, packed or not, both ways. */

import { type Runtime, ServeError, type Timings } from '../../runtime/index.ts';
import { readBytes } from '../http/body.ts';
import { acceptedCoding, compress, decompress } from '../http/compression.ts';
import type { Encoded, InferRoute } from '../http/edge.ts';
import type { RequestContext } from '../http/request-context.ts';
import { encodeAnswer, headerLength, type InferQuestion, toQuestion } from './infer.ts';
import { targetOf } from './paths.ts';
import { rawQuestion } from './raw.ts';

const HEADER_LENGTH = 'Inference-Header-Content-Length';

/** A question and the coding its client wants the answer in. */
interface Asked extends InferQuestion {
  readonly accept: string | null;
}

interface Answered {
  readonly timings: Timings;
  readonly maxRows: number;
  readonly encoded: Encoded;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** @param path The route's template. */
export function inferRoute(runtime: Runtime, path: string): InferRoute<Bytes, Asked, Answered> {
  const { clock, codec } = runtime;
  const limit = runtime.config.maxRequestBytes;
  return {
    path,
    limit,
    anyType: true,
    async read(request, announced, most) {
      const coding = request.headers.get('content-encoding');
      const body = await readBytes(request, announced, most);
      return coding === null ? body : decompress(body, coding.toLowerCase(), limit);
    },
    decode(body, context: RequestContext) {
      const { headers, url } = context.request;
      const target = targetOf(url);
      const terms = { timeoutMs: context.timeLeft(clock), signal: context };
      const length = headerLength(headers.get(HEADER_LENGTH), body.length);
      const question =
        length === 0
          ? rawQuestion(runtime.model(target.model).resolve(target.version), target, body, terms)
          : toQuestion(target, parse(body, length), terms);
      return { ...question, accept: headers.get('accept-encoding') };
    },
    async run(question) {
      const result = await runtime.inferTensors(question.request);
      const encoded = await pack(encodeAnswer(codec, question, result), question.accept);
      return { timings: result.timings, maxRows: result.maxRows, encoded };
    },
    encode: ({ encoded }) => encoded,
  };

  function parse(body: Bytes, length: number) {
    try {
      return codec.parseInferRequest(body, length, { nonFinite: 'literal', maxBytes: limit });
    } catch (error) {
      throw new ServeError('INVALID_ARGUMENT', error instanceof Error ? `${error.message}.` : '', {
        cause: error,
      });
    }
  }
}

type Answer = ReturnType<typeof encodeAnswer>;

function pack({ body, headerLength: json }: Answer, accept: string | null) {
  const headers: Record<string, string> = {};
  if (json !== undefined) {
    headers['Content-Type'] = 'application/octet-stream';
    headers[HEADER_LENGTH] = String(json);
  }
  const coding = acceptedCoding(accept, body.length);
  if (coding === undefined) return { body, headers };
  headers['Content-Encoding'] = coding;
  headers.Vary = 'Accept-Encoding';
  return compress(body, coding).then((packed) => ({ body: packed, headers }));
}
