/** @module Reads bodies of requests with images as a route does, for the tests of what is read. */
import { openCodec, openImages } from '../../../native/index.ts';
import { BodyBudget, BodyShare, ServeError } from '../../../runtime/index.ts';
import type { BodySource } from '../../../services/http/body.ts';
import {
  MAX_BODY_BYTES,
  type VisionBody,
  visionBodyReader,
} from '../../../services/vision/intake/index.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

export interface Sent {
  readonly body: BodyInit;
  readonly type?: string | undefined;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the length is told before. Default: true. */
  readonly announced?: boolean;
}

/** What has arrived of a body. */
export interface Arrival {
  bytes: number;
  /** When the last byte did, by `performance.now`; undefined if it was not waited for. */
  lastMs?: number;
}

const reader = visionBodyReader(openImages().decodeBase64);
const budget = new BodyBudget(openCodec().byteBudget(4 * MAX_BODY_BYTES));

/** Bytes that all requests of the test hold. */
export const bytesHeld = () => budget.bytes.taken;

/** Reads a body. @throws {ServeError} */
export async function read(
  sent: Sent,
  arrival: Arrival = { bytes: 0 },
  use: (body: VisionBody) => void = () => {},
): Promise<VisionBody> {
  const { body, type, query = '', headers = {}, announced = true } = sent;
  const request = new Request(`http://test/classify${query}`, {
    method: 'POST',
    body,
    headers: { ...headers, ...(type !== undefined && { 'Content-Type': type }) },
    duplex: 'half',
  } as RequestInit);
  // A body of bytes has a type only if the test gives one.
  if (type === undefined && body instanceof Uint8Array) request.headers.delete('Content-Type');
  const share = new BodyShare(budget);
  const source: BodySource = {
    request,
    share,
    received: (bytes) => {
      arrival.bytes = bytes;
    },
    arrived: () => {
      arrival.lastMs = performance.now();
    },
  };
  const length = body instanceof Uint8Array && announced ? body.length : undefined;
  try {
    const found = await reader(source, length, MAX_BODY_BYTES);
    use(found);
    return found;
  } finally {
    share.close();
  }
}

/** The code and the sentence of the refusal of a body. */
export async function refusal(sent: Sent, arrival?: Arrival): Promise<string> {
  try {
    await read(sent, arrival);
  } catch (error) {
    if (error instanceof ServeError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'read';
}

/** The bytes of texts, in which each character is a byte, and of bytes. */
export function bytes(...parts: readonly (string | Uint8Array)[]): Bytes {
  return new Uint8Array(
    Buffer.concat(
      parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
    ),
  );
}

export const FORM_TYPE = 'multipart/form-data; boundary=edge';

/** A part of a form. */
export const part = (disposition: string, content: string | Uint8Array, more = ''): Bytes =>
  bytes(`--edge\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n`, content, '\r\n');

export const imagePart = (content: string | Uint8Array = 'pixels', name = 'image'): Bytes =>
  part(`name="${name}"; filename="a.jpg"`, content, 'Content-Type: image/jpeg\r\n');

export const END = '--edge--\r\n';

/** A form with the boundary of `FORM_TYPE`. */
export const form = (...parts: readonly (string | Uint8Array)[]): Sent => ({
  body: bytes(...parts, END),
  type: FORM_TYPE,
});

export const json = (value: unknown): Sent => ({
  body: new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)),
  type: 'application/json',
});

/** A body that arrives in pieces of this many bytes, whose rest is not sent once it was refused. */
export function inPieces(whole: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= whole.length) controller.close();
      else controller.enqueue(whole.slice(at, at + size));
      at += size;
    },
  });
}
