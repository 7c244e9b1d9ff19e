/** @module Reads the images and options of a form. */

import {
  invalidArgument,
  MAX_IMAGE_BYTES,
  quote,
  ServeError,
  tooManyImageBytes,
} from '../../../runtime/index.ts';
import { type BodySource, readBytesLooking } from '../../http/body.ts';
import { asciiText } from './byte-search.ts';
import { isUrl, looksLikeUrl, MAX_IMAGES, noImage, placeOf, tooManyImages } from './limits.ts';
import { boundaryOf, MultipartParser, type PartHeader, type PartListener } from './multipart.ts';

/** Names of the parts that are images. A form uses one of them. */
const IMAGE_FIELDS = ['image', 'images', 'file'];
/** The name whose response is a list, as for the member of JSON, even of one image. */
const LIST_FIELD = 'images';
const MAX_FIELDS = 32;
const MAX_FIELD_BYTES = 16 * 1024;
const MAX_NAME = 128;
/** As much of a part is looked at to tell whether it is a URL. */
const URL_BYTES = 16;
/** The most bytes of the name of a file. */
const FILE_NAME_BYTES = 255;

/** What a form has. */
export interface FormContent {
  readonly images: readonly Uint8Array[];
  readonly isList: boolean;
  /** Each field in the order of the form. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/**
 * Reads a form as it arrives: it is refused with the first part that is wrong.
 *
 * @throws {ServeError} `INVALID_ARGUMENT`, `IMAGE_TOO_LARGE`, and the errors of `ReadBody`
 */
export async function readForm(
  source: BodySource,
  announced: number | undefined,
  limit: number,
): Promise<FormContent> {
  const parts = new FormParts();
  const boundary = boundaryOf(source.request.headers.get('content-type') ?? '');
  const parser = new MultipartParser(boundary, parts);
  const look = (bytes: Uint8Array) => parser.advance(bytes);
  const body = await readBytesLooking(source, announced, limit, look);
  parser.finish(body);
  return parts.content(body);
}

interface Part extends PartHeader {
  readonly isImage: boolean;
}

interface Place {
  readonly name: string;
  readonly isFile: boolean;
  readonly start: number;
  readonly end: number;
}

class FormParts implements PartListener {
  readonly #images: Place[] = [];
  readonly #fields: Place[] = [];
  #part: Part | undefined;

  begin(header: PartHeader): void {
    const { name, filename } = header;
    const isImage = IMAGE_FIELDS.includes(name);
    if (isImage) this.#checkImage(name);
    else this.#checkField(name, filename);
    this.#part = { ...header, isImage };
  }

  received(bytes: number): void {
    const { name, isImage } = this.#part!;
    if (bytes <= (isImage ? MAX_IMAGE_BYTES : MAX_FIELD_BYTES)) return;
    if (isImage) {
      const index = this.#images.length;
      throw tooManyImageBytes(placeOf(index, index > 0 || name === LIST_FIELD));
    }
    throw new ServeError(
      'PAYLOAD_TOO_LARGE',
      `The field ${quote(name)} has more than ${MAX_FIELD_BYTES} bytes.`,
    );
  }

  end(start: number, end: number): void {
    this.received(end - start);
    const { name, filename, isImage } = this.#part!;
    const place = { name, isFile: filename !== undefined, start, end };
    (isImage ? this.#images : this.#fields).push(place);
  }

  content(body: Uint8Array): FormContent {
    if (this.#images.length === 0) throw noImage('The form');
    const images = this.#images.map(({ start, end }) => body.subarray(start, end));
    const isList = images.length > 1 || this.#images[0]!.name === LIST_FIELD;
    images.forEach((image, i) => {
      const place = placeOf(i, isList);
      if (image.length === 0) throw invalidArgument(`${place} is empty.`);
      if (looksLikeUrl(asciiText(image.subarray(0, URL_BYTES)))) throw isUrl(place);
      if (!this.#images[i]!.isFile && isFileName(image)) throw isName(place, asciiText(image));
    });
    const fields = this.#fields.map(
      ({ name, start, end }) => [name, textOf(name, body.subarray(start, end))] as const,
    );
    return { images, isList, fields };
  }

  #checkImage(name: string): void {
    const [first] = this.#images;
    if (this.#images.length === MAX_IMAGES) throw tooManyImages();
    if (first === undefined || first.name === name) return;
    throw invalidArgument(
      `The form has images as ${first.name} and as ${name}; use the same name for all.`,
    );
  }

  #checkField(name: string, filename: string | undefined): void {
    if (filename !== undefined) {
      const message = `The form has a file as ${quote(name)}; send images as ${IMAGE_FIELDS[0]}.`;
      throw invalidArgument(message);
    }
    if (name.length > MAX_NAME) {
      throw invalidArgument(`A field of the form has a name of more than ${MAX_NAME} characters.`);
    }
    if (this.#fields.length < MAX_FIELDS) return;
    throw invalidArgument(`The form has more than ${MAX_FIELDS} fields beside its images.`);
  }
}

/** Whether these may be the name of a file instead of its bytes, which curl sends without an `@`. */
const isFileName = (bytes: Uint8Array): boolean =>
  bytes.length <= FILE_NAME_BYTES && /^[ -~]+\.[a-z]{3,4}$/i.test(asciiText(bytes));

const isName = (place: string, text: string): ServeError =>
  invalidArgument(
    `${place} is the text ${quote(text)}, not a file; send the bytes of the file, with curl as -F image=@photo.jpg.`,
  );

function textOf(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidArgument(`The field ${quote(name)} is not UTF-8.`);
  }
}
