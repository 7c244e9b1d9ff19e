/** @module Puts images together byte by byte, and changes some of their bytes, for the tests of hostile files. */
import { crc32, deflateSync } from 'node:zlib';
import { imageFile } from './support.ts';

type Bytes = Uint8Array<ArrayBuffer>;
type Part = string | number | Uint8Array;
type Size = readonly [width: number, height: number];

/** Bytes of ASCII texts, numbers that are bytes, and arrays of bytes. */
export function bytes(...parts: readonly Part[]): Bytes {
  const pieces = parts.map((part) =>
    typeof part === 'string'
      ? Uint8Array.from(part, (character) => character.charCodeAt(0))
      : typeof part === 'number'
        ? Uint8Array.of(part)
        : part,
  );
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

export const big16 = (value: number): Bytes => Uint8Array.of(value >> 8, value & 255);
export const little16 = (value: number): Bytes => Uint8Array.of(value & 255, value >> 8);
export const big32 = (value: number): Bytes => bytes(big16(value >>> 16), big16(value & 0xffff));
export const little32 = (value: number): Bytes =>
  bytes(little16(value & 0xffff), little16(value >>> 16));

/** A copy of a fixture with other bytes at a place. */
export function changed(name: string, at: number, ...parts: readonly Part[]): Bytes {
  const file = imageFile(name);
  file.set(bytes(...parts), at);
  return file;
}

/** Where an ASCII text begins in a fixture. */
export function placeOf(name: string, text: string): number {
  const at = Buffer.from(imageFile(name)).indexOf(Buffer.from(text, 'latin1'));
  if (at < 0) throw new Error(`${name} has no ${text}`);
  return at;
}

export function pngChunk(kind: string, data: Uint8Array): Bytes {
  const content = bytes(kind, data);
  return bytes(big32(data.length), content, big32(crc32(content)));
}

/** An RGB image whose pixels are what `data` says, which is compressed here. */
export function png(width: number, height: number, data: Uint8Array, ...before: Uint8Array[]) {
  const header = bytes(big32(width), big32(height), 8, 2, 0, 0, 0);
  return bytes(
    '\x89PNG\r\n\x1a\n',
    pngChunk('IHDR', header),
    ...before,
    pngChunk('IDAT', deflateSync(data)),
    pngChunk('IEND', new Uint8Array()),
  );
}

/** An image of one colour, 8 by 8. */
export const smallPng = (...before: Uint8Array[]): Bytes =>
  png(8, 8, new Uint8Array(8 * 25), ...before);

/** A segment of JPEG. */
export const segment = (marker: number, data: Uint8Array): Bytes =>
  bytes(0xff, marker, big16(data.length + 2), data);

/** A JPEG fixture with bytes after its first marker. */
export const withSegments = (name: string, ...segments: Uint8Array[]): Bytes => {
  const file = imageFile(name);
  return bytes(file.subarray(0, 2), ...segments, file.subarray(2));
};

/** An uncompressed TIFF, 8 by 8, with other values for some tags. */
export function tiff(tags: Readonly<Record<number, number>>, size: Size = [8, 8]): Bytes {
  const [width, height] = size;
  const all: Readonly<Record<number, number>> = {
    ...{ 256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 256, 277: 1 },
    ...{ 278: height, 279: 64 },
    ...tags,
  };
  const entries = Object.entries(all).map(([tag, value]) =>
    bytes(little16(Number(tag)), little16(4), little32(1), little32(value)),
  );
  const page = bytes(little16(entries.length), ...entries, little32(0));
  return bytes('II*\0', little32(8), page, new Uint8Array(248 - page.length), new Uint8Array(64));
}

/** A GIF, 1 by 1, whose frame has another size. */
export function gif(frameWidth: number, frameHeight: number, screen: Size = [1, 1]): Bytes {
  const table = new Uint8Array(6);
  const frame = bytes(0x2c, new Uint8Array(4), little16(frameWidth), little16(frameHeight), 0);
  const data = bytes(2, 2, 0x4c, 1, 0);
  return bytes('GIF89a', ...screen.map(little16), 0x80, 0, 0, table, frame, data, 0x3b);
}
