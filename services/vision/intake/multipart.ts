/**
 * Parses `multipart/form-data` (RFC 7578, RFC 2046) as its bytes arrive, without copying them. What is not exactly of the form
 * is refused, because a parser in front of the server might read it in another way.
 *
 * @module
 */

import { invalidArgument } from '../../../runtime/index.ts';
import { asciiText, hasText, indexOfText } from './byte-search.ts';
import { parseHeaderValue } from './header-parameters.ts';

/** Most bytes of the headers of a part. */
const MAX_HEADER_BYTES = 8192;
/** Most characters of a boundary, by RFC 2046. */
const MAX_BOUNDARY = 70;
/** Most bytes before the first boundary. */
const MAX_PREAMBLE = 8192;
/** Most blanks after a boundary. */
const MAX_PADDING = 256;

/** What the headers of a part say. */
export interface PartHeader {
  readonly name: string;
  /** Undefined if the part is not a file. It names nothing here. */
  readonly filename: string | undefined;
}

/** Is told of parts as they arrive. Its functions may throw to refuse the form. */
export interface PartListener {
  begin(header: PartHeader): void;
  /** Called with the bytes of the present part so far. */
  received(bytes: number): void;
  /** Called with where the content lies in the body. */
  end(start: number, end: number): void;
}

/** The boundary that a `Content-Type` names. @throws {ServeError} `INVALID_ARGUMENT` */
export function boundaryOf(contentType: string): string {
  const boundary = parseHeaderValue(contentType)?.parameters.get('boundary') ?? '';
  if (boundary !== '' && boundary.length <= MAX_BOUNDARY && /^[\x20-\x7e]*$/.test(boundary)) {
    return boundary;
  }
  throw invalidArgument(
    boundary === ''
      ? 'The Content-Type of the form has no boundary; let the client write this header, which knows the boundary.'
      : `The boundary of the form must have at most ${MAX_BOUNDARY} printable ASCII characters.`,
  );
}

export class MultipartParser {
  readonly #delimiter: string;
  readonly #listener: PartListener;
  #state: 'preamble' | 'boundary' | 'headers' | 'content' | 'end' = 'preamble';
  /** Where the present state began. */
  #at = 0;
  /** Up to where its end was looked for. */
  #seen = 0;

  constructor(boundary: string, listener: PartListener) {
    this.#delimiter = `\r\n--${boundary}`;
    this.#listener = listener;
  }

  /**
   * Parses on.
   *
   * @param bytes All bytes of the body that have arrived.
   * @throws {ServeError} `INVALID_ARGUMENT`
   */
  advance(bytes: Uint8Array): void {
    while (this.#step(bytes));
  }

  /** Parses the rest. @throws {ServeError} `INVALID_ARGUMENT`, also if the form has no end */
  finish(bytes: Uint8Array): void {
    this.advance(bytes);
    if (this.#state === 'end') return;
    throw invalidArgument(
      this.#state === 'preamble'
        ? 'The form does not contain the boundary that its Content-Type names.'
        : 'The form ends before its closing boundary; send the whole body.',
    );
  }

  /** Whether there was enough to go to the next state. */
  #step(bytes: Uint8Array): boolean {
    switch (this.#state) {
      case 'preamble':
        return this.#preamble(bytes);
      case 'boundary':
        return this.#boundary(bytes);
      case 'headers':
        return this.#headers(bytes);
      case 'content':
        return this.#content(bytes);
      case 'end':
        return false;
    }
  }

  #preamble(bytes: Uint8Array): boolean {
    // The first boundary may stand at the start, without a line break.
    const atStart = this.#delimiter.slice(2);
    if (hasText(bytes, atStart, 0)) return this.#enter('boundary', atStart.length);
    const found = this.#find(bytes);
    if (found >= 0) return this.#enter('boundary', found + this.#delimiter.length);
    if (bytes.length > MAX_PREAMBLE) {
      throw invalidArgument(
        'The form does not begin with the boundary that its Content-Type names.',
      );
    }
    return false;
  }

  #boundary(bytes: Uint8Array): boolean {
    if (hasText(bytes, '--', this.#at)) return this.#enter('end', this.#at + 2);
    let at = this.#at;
    while (bytes[at] === 0x20 || bytes[at] === 0x09) at += 1;
    if (hasText(bytes, '\r\n', at)) return this.#enter('headers', at + 2);
    if (at - this.#at > MAX_PADDING || bytes.length >= at + 2) {
      throw invalidArgument('A boundary of the form is not followed by a line break.');
    }
    return false;
  }

  #headers(bytes: Uint8Array): boolean {
    const found = indexOfText(bytes.subarray(0, this.#at + MAX_HEADER_BYTES), '\r\n\r\n', this.#at);
    if (found >= 0) {
      this.#listener.begin(partHeader(bytes.subarray(this.#at, found)));
      // The line break before a boundary may be that of the headers, in a part without content.
      return this.#enter('content', found + 4, found + 2);
    }
    if (hasText(bytes, '\r\n', this.#at)) throw noName();
    if (bytes.length >= this.#at + MAX_HEADER_BYTES) {
      throw invalidArgument(
        `A part of the form has more than ${MAX_HEADER_BYTES} bytes of headers.`,
      );
    }
    return false;
  }

  #content(bytes: Uint8Array): boolean {
    const found = this.#find(bytes);
    if (found < 0) {
      this.#listener.received(Math.max(0, bytes.length - this.#delimiter.length - this.#at));
      return false;
    }
    this.#listener.end(this.#at, Math.max(this.#at, found));
    return this.#enter('boundary', found + this.#delimiter.length);
  }

  #find(bytes: Uint8Array): number {
    const found = indexOfText(bytes, this.#delimiter, this.#seen);
    this.#seen = Math.max(this.#seen, bytes.length - this.#delimiter.length + 1);
    return found;
  }

  #enter(state: 'boundary' | 'headers' | 'content' | 'end', at: number, seen = at): true {
    this.#state = state;
    this.#at = at;
    this.#seen = seen;
    return true;
  }
}

/** Encodings that leave the bytes as they are. */
const PLAIN_ENCODINGS = ['binary', '8bit', '7bit'];

/** @throws {ServeError} `INVALID_ARGUMENT` */
function partHeader(bytes: Uint8Array): PartHeader {
  const headers = new Map<string, string>();
  for (const line of utf8Text(bytes).split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) throw invalidArgument('A part of the form has a damaged header.');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (headers.has(name)) throw invalidArgument(`A part of the form has two ${name} headers.`);
    headers.set(name, line.slice(colon + 1).trim());
  }
  const type = headers.get('content-type') ?? '';
  if (/^multipart\//i.test(type)) {
    throw invalidArgument(
      'A part of the form is a form itself; send each image as a part of its own.',
    );
  }
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase() ?? 'binary';
  if (!PLAIN_ENCODINGS.includes(encoding)) {
    throw invalidArgument(
      'A part of the form has a Content-Transfer-Encoding; send its bytes as they are.',
    );
  }
  const disposition = parseHeaderValue(headers.get('content-disposition') ?? '');
  const name = disposition?.parameters.get('name');
  if (disposition?.value !== 'form-data' || name === undefined || name === '') throw noName();
  const { parameters } = disposition;
  return { name, filename: parameters.get('filename') ?? parameters.get('filename*') };
}

const noName = () =>
  invalidArgument(
    'A part of the form has no name; each needs a header such as Content-Disposition: form-data; name="image".',
  );

function utf8Text(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Old clients write names of files in other encodings, which do not matter here.
    return asciiText(bytes);
  }
}
