/** @module Tells the format of a file by its first bytes. */

import { HeaderBytes } from './header-bytes.ts';
import { invalidImage, unsupportedFormat } from './image-errors.ts';

export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff';

/** The first bytes of formats that are not served, and what they are called. */
const OTHERS: readonly (readonly [start: string, name: string])[] = [
  ['%PDF', 'a PDF'],
  ['BM', 'a BMP'],
  ['8BPS', 'a Photoshop file'],
  ['\xff\x0a', 'a JPEG XL file'],
  ['\0\0\0\x0cJXL ', 'a JPEG XL file'],
  ['\0\0\0\x0cjP  ', 'a JPEG 2000 file'],
  ['\xff\x4f\xff\x51', 'a JPEG 2000 file'],
  ['SIMPLE  =', 'a FITS file'],
  ['\x76\x2f\x31\x01', 'an OpenEXR file'],
  ['#?RADIANCE', 'a Radiance file'],
  ['#?RGBE', 'a Radiance file'],
  ['\0\0\x01\0', 'an icon file'],
  ['\0\0\x02\0', 'a cursor file'],
  ['qoif', 'a QOI file'],
  ['DDS ', 'a DDS texture'],
  ['FORM', 'an IFF file'],
  ['\x08\xf2\xa6\xb6', 'a libvips file'],
  ['\xb6\xa6\xf2\x08', 'a libvips file'],
  ['\x89HDF', 'an HDF5 file'],
  ['\x93NUMPY', 'a NumPy array'],
  ['PK\x03\x04', 'a ZIP archive'],
  ['\x1f\x8b', 'gzip data'],
  ['BZh', 'bzip2 data'],
  ['\xfd7zXZ', 'xz data'],
  ['\x28\xb5\x2f\xfd', 'Zstandard data'],
  ['7z\xbc\xaf', 'a 7z archive'],
  ['%!PS', 'PostScript'],
  ['\x7fELF', 'a program'],
  ['MZ', 'a program'],
  ['\x1aE\xdf\xa3', 'a Matroska or WebM video'],
  ['OggS', 'an Ogg file'],
  ['ID3', 'an MP3 file'],
  ['RIFF', 'a RIFF file that is not WebP'],
  ['data:', 'the text of a data URL'],
];

/** Netpbm files begin with one of these and a space. */
const NETPBM = /^P[1-7fF]\s/;
const MARKUP = /^(\xef\xbb\xbf)?\s*</;
const JSON_TEXT = /^(\xef\xbb\xbf)?\s*[{[]/;
const URL_TEXT = /^\s*(https?|ftp|file):\/\//i;
const BASE64_TEXT = /^[A-Za-z0-9+/_-]{32,}/;

/** How much of a file is looked at for a text. */
const TEXT_BYTES = 512;

/** Major brands of files in the ISO base media format. */
const AVIF_BRANDS = ['avif', 'avis'];
const HEIC_BRANDS = [
  'heic',
  'heix',
  'heim',
  'heis',
  'hevc',
  'hevx',
  'hevm',
  'hevs',
  'mif1',
  'msf1',
];
const MAX_BRANDS = 64;

/** @throws {ServeError} `UNSUPPORTED_MEDIA_TYPE`, which names what the file is, or `INVALID_IMAGE` if it is empty */
export function sniff(file: Uint8Array): ImageFormat {
  const bytes = new HeaderBytes(file);
  if (bytes.length === 0) throw invalidImage('is empty');
  if (bytes.has(0, '\xff\xd8\xff')) return 'jpeg';
  if (bytes.has(0, '\x89PNG\r\n\x1a\n')) return 'png';
  if (bytes.has(0, 'RIFF') && bytes.has(8, 'WEBP')) return 'webp';
  if (bytes.has(0, 'GIF87a') || bytes.has(0, 'GIF89a')) return 'gif';
  if (isTiff(bytes)) return 'tiff';
  if (bytes.has(4, 'ftyp')) return ofIsoMedia(bytes);
  throw unsupportedFormat(nameOf(bytes));
}

/** Also BigTIFF, in both orders of bytes. */
const isTiff = (bytes: HeaderBytes): boolean =>
  ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((start) => bytes.has(0, start));

function ofIsoMedia(bytes: HeaderBytes): ImageFormat {
  const end = Math.min(bytes.uint32(0), bytes.length, 16 + 4 * MAX_BRANDS);
  const brands: string[] = bytes.length < 12 ? [] : [bytes.text(8, 4)];
  for (let at = 16; at + 4 <= end; at += 4) brands.push(bytes.text(at, 4));
  if (brands.some((brand) => AVIF_BRANDS.includes(brand))) return 'avif';
  if (brands.some((brand) => HEIC_BRANDS.includes(brand))) throw unsupportedFormat('a HEIC file');
  throw unsupportedFormat('a video or another file in the ISO media format');
}

function nameOf(bytes: HeaderBytes): string {
  const known = OTHERS.find(([start]) => bytes.has(0, start));
  if (known !== undefined) return known[1];
  const text = bytes.text(0, Math.min(bytes.length, TEXT_BYTES));
  if (NETPBM.test(text)) return 'a Netpbm file';
  if (MARKUP.test(text)) return /<svg[\s>]/i.test(text) ? 'an SVG' : 'a text in XML or HTML';
  if (JSON_TEXT.test(text)) return 'a text in JSON';
  if (URL_TEXT.test(text)) return 'a URL, and URLs are never fetched';
  if (BASE64_TEXT.test(text)) return 'a text, perhaps base64';
  return 'of an unknown format';
}
