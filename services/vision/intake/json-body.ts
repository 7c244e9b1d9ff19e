/** @module Reads the images and options of a JSON body. */

import { invalidArgument, ServeError } from '../../../runtime/index.ts';
import { type BodySource, decodeUtf8, readBytes } from '../../http/body.ts';
import { parseTextJson } from '../../http/codec-json.ts';
import { type DecodeBase64, imageOfText } from './base64-image.ts';
import { MAX_IMAGES, noImage, placeOf, tooManyImages } from './limits.ts';
import { cutIndex, cutLongStrings, refuseMarks } from './long-strings.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** What a JSON body has. */
export interface JsonContent {
  /** Each with memory of its own. */
  readonly images: readonly Bytes[];
  readonly isList: boolean;
  /** The other members. */
  readonly members: Readonly<Record<string, unknown>>;
}

/** @throws {ServeError} `INVALID_JSON`, `INVALID_ARGUMENT`, `IMAGE_TOO_LARGE`, and the errors of `ReadBody` */
export async function readJsonImages(
  source: BodySource,
  announced: number | undefined,
  limit: number,
  decode: DecodeBase64,
): Promise<JsonContent> {
  const { share } = source;
  const body = await readBytes(source, announced, limit);
  const held = share.held;
  const { rest, strings } = await cutLongStrings(body);
  const json = parseTextJson(decodeUtf8(rest));
  const { texts, isList, members } = membersOf(json);
  refuseMarks(members);
  const files: Bytes[] = [];
  for (const [index, text] of texts.entries()) {
    const place = placeOf(index, isList);
    files.push(await imageOfText(writtenText(text, strings, place), place, share, decode));
  }
  // What was decoded stays counted, and the text does not.
  share.free(body.buffer);
  share.give(held);
  return { images: files, isList, members };
}

function membersOf(json: unknown) {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ServeError('INVALID_JSON', 'The body must be a JSON object with an image.');
  }
  const { image, images, ...members } = json as Record<string, unknown>;
  if (image !== undefined && images !== undefined) {
    throw invalidArgument('The body has image and images; send one of them.');
  }
  if (images === undefined) {
    if (image === undefined) throw noImage('The body');
    return { texts: [image], isList: false, members };
  }
  if (!Array.isArray(images)) throw invalidArgument('images must be a list of strings.', 'images');
  if (images.length === 0) throw invalidArgument('images is empty; send at least one.', 'images');
  if (images.length > MAX_IMAGES) throw tooManyImages();
  return { texts: images as unknown[], isList: true, members };
}

/** The text as bytes. */
function writtenText(text: unknown, strings: readonly Bytes[], place: string): Bytes {
  if (typeof text !== 'string') {
    throw invalidArgument(`${place} must be a string: a data URL, or the base64 of a file.`);
  }
  const index = cutIndex(text);
  return index === undefined ? new TextEncoder().encode(text) : strings[index]!;
}
