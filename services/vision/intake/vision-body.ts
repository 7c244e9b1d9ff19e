/** @module Reads the bodies of requests with images: forms, files alone, and JSON. */

import {
  type BodyShare,
  MAX_IMAGE_BYTES,
  ServeError,
  tooManyImageBytes,
} from '../../../runtime/index.ts';
import { type BodySource, type ReadBody, readBytesLooking } from '../../http/body.ts';
import { notJsonType } from '../../http/codec-json.ts';
import type { DecodeBase64 } from './base64-image.ts';
import { readForm } from './form-body.ts';
import { readJsonImages } from './json-body.ts';
import { noImage } from './limits.ts';

/** Texts by name: those of a name that occurs several times are a list. */
export type Texts = Readonly<Record<string, string | readonly string[]>>;

/** What a request with images asks for. */
export interface VisionBody {
  /** 1 to 32 encoded files. */
  readonly images: readonly Uint8Array[];
  /** Whether the response is a list: for several images, and for the name `images`. */
  readonly isList: boolean;
  /** Options that are texts: form fields, which take precedence, and parameters of the query. */
  readonly texts: Texts;
  /** The members of JSON beside the images, which take precedence over `texts`. */
  readonly members: Readonly<Record<string, unknown>>;
  /** An object of `texts` and `members`. */
  readonly json: unknown;
  /** Lets the end of the request free the images. Must be called when nothing reads them any more. */
  free(): void;
}

/**
 * Makes a reader of bodies with images. The type of an image in a header does not matter, because the bytes decide;
 * `Content-Type` only tells forms and JSON from files. The end of the request does not free the memory of the images unless
 * `free` was called, because decoders may still read it.
 *
 * @returns a function that throws `UNSUPPORTED_MEDIA_TYPE` for other types, `INVALID_ARGUMENT`, `INVALID_JSON`,
 * `IMAGE_TOO_LARGE`, and the errors of `ReadBody`
 */
export const visionBodyReader =
  (decode: DecodeBase64): ReadBody<VisionBody> =>
  async (source, announced, limit) => {
    const { request, share } = source;
    const type = request.headers.get('content-type');
    const query = queryOf(request.url);
    const kind = kindOf(type);
    if (kind === 'form') {
      const { images, isList, fields } = await readForm(source, announced, limit);
      return visionBody(share, images, isList, { ...query, ...textsOf(fields) });
    }
    if (kind === 'json') {
      const { images, isList, members } = await readJsonImages(source, announced, limit, decode);
      for (const { buffer } of images) share.own(buffer);
      return visionBody(share, images, isList, query, members);
    }
    const image = await readFile(source, announced, limit);
    return visionBody(share, [image], false, query);
  };

/** How a body is read. A body without a type is a file. @throws {ServeError} `UNSUPPORTED_MEDIA_TYPE` */
function kindOf(type: string | null): 'form' | 'json' | 'file' {
  if (type === null || FILE_TYPE.test(type)) return 'file';
  if (FORM_TYPE.test(type)) return 'form';
  if (notJsonType(type) === undefined) return 'json';
  throw wrongType(type);
}

const FORM_TYPE = /^\s*multipart\/form-data\s*(?:;|$)/i;
const FILE_TYPE = /^\s*(?:image\/[\w.+-]+|application\/octet-stream)\s*(?:;|$)/i;

async function readFile(source: BodySource, announced: number | undefined, limit: number) {
  if (announced !== undefined && announced > MAX_IMAGE_BYTES) throw tooManyImageBytes();
  const file = await readBytesLooking(source, announced, limit, ({ length }) => {
    if (length > MAX_IMAGE_BYTES) throw tooManyImageBytes();
  });
  if (file.length === 0) throw noImage('The body');
  return file;
}

function visionBody(
  share: BodyShare,
  images: readonly Uint8Array[],
  isList: boolean,
  texts: Texts,
  members: Readonly<Record<string, unknown>> = {},
): VisionBody {
  share.lend();
  const json = { ...texts, ...members };
  return { images, isList, texts, members, json, free: () => share.reclaim() };
}

/** The parameters of a URL. */
function queryOf(url: string): Texts {
  const start = url.indexOf('?');
  return start < 0 ? {} : textsOf([...new URLSearchParams(url.slice(start + 1))]);
}

/** Texts by name. Empty ones count as left out, because forms of web pages send all their fields. */
export function textsOf(entries: readonly (readonly [name: string, text: string])[]): Texts {
  const byName = new Map<string, string | string[]>();
  for (const [name, text] of entries) {
    if (text === '') continue;
    const old = byName.get(name);
    byName.set(name, old === undefined ? text : [old, text].flat());
  }
  return Object.fromEntries(byName);
}

function wrongType(type: string): ServeError {
  const isCurl = /^application\/x-www-form-urlencoded/i.test(type);
  const why = isCurl
    ? 'is application/x-www-form-urlencoded, which cannot hold images'
    : 'is of another type';
  return new ServeError(
    'UNSUPPORTED_MEDIA_TYPE',
    `The body ${why}; send multipart/form-data with the field image, a file with its image type such as image/jpeg, or JSON.`,
  );
}
