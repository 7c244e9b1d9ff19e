/** @module Files that are no images, no images that are decoded, or that want to harm the decoder, with the codes of their refusals. */
import { MAX_IMAGE_BYTES } from '../../../../runtime/image/decode/index.ts';
import {
  big16,
  big32,
  bytes,
  changed,
  gif,
  little16,
  little32,
  placeOf,
  png,
  pngChunk,
  segment,
  smallPng,
  tiff,
  withSegments,
} from './image-parts.ts';
import { imageFile } from './support.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** A file, and the code of its refusal. */
export type HostileFile = readonly [name: string, file: () => Bytes, code: string];

/** Where files are cut, as parts of their length; the last is their last byte. */
const CUTS = [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1];

const CUT_FILES = [
  ...['baseline.jpg', 'progressive.jpg', 'cmyk-icc.jpg', 'restart.jpg'],
  ...['rgb.png', 'interlaced.png', 'rgba-16.png', 'animated.png'],
  ...['lossy.webp', 'lossless-alpha.webp', 'animated.webp'],
  ...['420.avif', '10-bit.avif', 'alpha.avif'],
  ...['static.gif', 'interlaced.gif', 'animated.gif'],
  ...['little.tiff', 'lzw.tiff', 'tiled.tiff', 'big-endian.tiff'],
];

const cutFiles: HostileFile[] = CUT_FILES.flatMap((name) =>
  CUTS.map((part) => {
    const file = () => {
      const whole = imageFile(name);
      // Without its first bytes a file could not be told from any other.
      return whole.slice(0, Math.max(16, Math.ceil(whole.length * part) - 1));
    };
    return [`${name} cut at ${part}`, file, 'INVALID_IMAGE'] as const;
  }),
);

const ISO = (brand: string) => bytes(big32(24), 'ftyp', brand, big32(0), brand, brand);

const foreign: HostileFile[] = (
  [
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ['SVG after a declaration', '<?xml version="1.0"?>\n<!-- a -->\n<svg width="1"></svg>'],
    ['SVG that reads a file', '<svg><image href="file:///etc/passwd"/></svg>'],
    ['SVG with a byte order mark', '\xef\xbb\xbf<svg></svg>'],
    ['HTML', '<!DOCTYPE html><img src="x">'],
    ['PDF', '%PDF-1.7\n1 0 obj'],
    ['PostScript', '%!PS-Adobe-3.0'],
    ['BMP', 'BM\x46\0\0\0\0\0\0\0\x36\0\0\0'],
    ['icon', '\0\0\x01\0\x01\0\x10\x10'],
    ['Photoshop', '8BPS\0\x01'],
    ['JPEG XL', '\xff\x0a\xff\x07\x08'],
    ['JPEG XL in boxes', '\0\0\0\x0cJXL \r\n\x87\n'],
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
    ['JPEG 2000 alone', '\xff\x4f\xff\x51\0\x29'],
    ['FITS', 'SIMPLE  =                    T'],
    ['OpenEXR', '\x76\x2f\x31\x01\x02\0\0\0'],
    ['Netpbm', 'P6 2 2 255\n123456789012'],
    ['Netpbm with floats', 'PF\n2 2\n-1.0\n'],
    ['Radiance', '#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n'],
    ['libvips', '\x08\xf2\xa6\xb6\0\0\0\0'],
    ['ZIP', 'PK\x03\x04\x14\0'],
    ['gzip', '\x1f\x8b\x08\0'],
    ['MP4', bytes(big32(24), 'ftypisom', big32(0), 'isommp42')],
    ['HEIC', ISO('heic')],
    ['HEIF of an unknown codec', ISO('mif1')],
    ['WAV', 'RIFF\x24\0\0\0WAVEfmt '],
    ['MP3', 'ID3\x04\0'],
    ['program', '\x7fELF\x02\x01\x01'],
    ['URL', 'https://example.com/cat.jpg'],
    ['URL of a file', 'file:///etc/passwd'],
    ['data URL', 'data:image/png;base64,iVBORw0KGgo='],
    ['base64', 'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAIAAAAAA=='],
    ['JSON', '{"image":"x"}'],
    ['noise', Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919 + 13) & 255)],
    ['zeros', new Uint8Array(100_000)],
    ['one byte', '\xff'],
    ['half a signature', '\x89PNG'],
  ] as const
).map(([name, content]) => [name, () => bytes(content), 'UNSUPPORTED_MEDIA_TYPE'] as const);

const SOF = placeOf('baseline.jpg', '\xff\xc0');
const ISPE = placeOf('420.avif', 'ispe') + 8;

const tooLarge: HostileFile[] = (
  [
    ['JPEG of 65535²', () => changed('baseline.jpg', SOF + 5, big16(65535), big16(65535))],
    ['JPEG of 1×65535', () => changed('baseline.jpg', SOF + 5, big16(65535), big16(1))],
    ['PNG of 2³¹−1 squared', () => png(2 ** 31 - 1, 2 ** 31 - 1, new Uint8Array(9))],
    ['PNG of 1×100000', () => png(1, 100_000, new Uint8Array(9))],
    ['PNG of 100000×1', () => png(100_000, 1, new Uint8Array(9))],
    ['PNG one pixel too large', () => png(5000, 5001, new Uint8Array(9))],
    ['GIF of 65535²', () => gif(1, 1, [65535, 65535])],
    ['GIF whose frame has 65535²', () => gif(65535, 65535)],
    ['GIF whose frame is 6000²', () => gif(6000, 6000)],
    ['TIFF of 65535²', () => tiff({}, [65535, 65535])],
    ['TIFF of 1×100000', () => tiff({}, [1, 100_000])],
    ['TIFF of 2³²−1 squared', () => tiff({}, [2 ** 32 - 1, 2 ** 32 - 1])],
    ['AVIF of 65535²', () => changed('420.avif', ISPE, big32(65535), big32(65535))],
    [
      'WebP of 16777216²',
      () =>
        bytes(
          'RIFF',
          little32(22),
          'WEBPVP8X',
          little32(10),
          new Uint8Array(4),
          new Uint8Array(6).fill(255),
        ),
    ],
    [
      'lossless WebP of 16384²',
      () => bytes('RIFF', little32(18), 'WEBPVP8L', little32(5), 0x2f, little32(0x0fffffff)),
    ],
    [
      'lossy WebP of 16383²',
      () =>
        bytes(
          'RIFF',
          little32(22),
          'WEBPVP8 ',
          little32(10),
          0x10,
          0,
          0,
          '\x9d\x01\x2a',
          little16(16383),
          little16(16383),
        ),
    ],
    ['21 MiB of pixels', () => bytes(imageFile('rgb.png'), new Uint8Array(MAX_IMAGE_BYTES))],
    ['100 MiB of metadata', () => smallPng(pngChunk('tEXt', new Uint8Array(100 * 1024 * 1024)))],
  ] as const
).map(([name, file]) => [name, file, 'IMAGE_TOO_LARGE'] as const);

const SCAN = bytes(0xff, 0xda, big16(8), 1, 1, 0, 0, 63, 0, 0x7f);
const gzipBomb = () => new Uint8Array(8 * 1024 * 1024);

const damaged: HostileFile[] = (
  [
    ['zero bytes', () => new Uint8Array()],
    ['JPEG without pixels', () => bytes('\xff\xd8\xff\xd9')],
    ['JPEG of 0×0', () => changed('baseline.jpg', SOF + 5, big32(0))],
    ['JPEG with more rows than data', () => changed('baseline.jpg', SOF + 5, big16(4000))],
    [
      'JPEG with two frames',
      () => withSegments('baseline.jpg', imageFile('baseline.jpg').slice(SOF, SOF + 19)),
    ],
    ['JPEG of 12 bits', () => changed('baseline.jpg', SOF + 4, 12)],
    ['JPEG of 5 channels', () => changed('baseline.jpg', SOF + 9, 5)],
    [
      'JPEG with a segment of no length',
      () => withSegments('baseline.jpg', bytes(0xff, 0xe5, 0, 0)),
    ],
    [
      'JPEG with 5000 segments',
      () =>
        withSegments(
          'baseline.jpg',
          ...Array.from({ length: 5000 }, () => segment(0xe5, new Uint8Array(1))),
        ),
    ],
    [
      'JPEG with 2000 scans',
      () =>
        bytes(
          imageFile('progressive.jpg').slice(0, -2),
          ...Array.from({ length: 2000 }, () => SCAN),
          0xff,
          0xd9,
        ),
    ],
    [
      'JPEG with a scan before its header',
      () => bytes('\xff\xd8', segment(0xda, new Uint8Array(8))),
    ],
    ['PNG of 0×8', () => png(0, 8, new Uint8Array(9))],
    ['PNG with too few pixels', () => png(100, 100, new Uint8Array(301))],
    ['PNG with a wrong checksum', () => changed('rgb.png', 30, 1)],
    [
      'PNG with damaged pixels',
      () => changed('rgb.png', placeOf('rgb.png', 'IDAT') + 40, 0xff, 0xff, 0xff),
    ],
    [
      'PNG whose chunk is longer than the file',
      () => changed('rgb.png', placeOf('rgb.png', 'IDAT') - 4, big32(0x7fffffff)),
    ],
    [
      'PNG without a header',
      () => bytes('\x89PNG\r\n\x1a\n', pngChunk('IEND', new Uint8Array()), new Uint8Array(20)),
    ],
    ['PNG of 17 bits', () => changed('rgb.png', 24, 17)],
    ['GIF without a frame', () => bytes('GIF89a', little16(1), little16(1), 0, 0, 0, 0x3b)],
    ['GIF that ends in its frame', () => gif(1, 1).slice(0, -4)],
    ['GIF with an unknown block', () => changed('static.gif', 13 + 192, 0x77)],
    [
      'AVIF whose picture is larger than it says',
      () => changed('420.avif', ISPE, big32(8), big32(8)),
    ],
    ['AVIF without properties', () => changed('420.avif', placeOf('420.avif', 'iprp'), 'xxxx')],
    ['AVIF without a size', () => changed('420.avif', placeOf('420.avif', 'ispe'), 'xxxx')],
    [
      'AVIF with a box of a wrong length',
      () => changed('420.avif', placeOf('420.avif', 'meta') - 4, big32(3)),
    ],
    ['WebP that is shorter than it says', () => changed('lossy.webp', 4, little32(1_000_000))],
    ['WebP with a damaged frame', () => changed('lossy.webp', 23, 0, 0, 0)],
    ['WebP whose frames leave its canvas', () => changed('animated.webp', 24, 3, 0, 0, 3, 0, 0)],
    ['WebP of an unknown chunk', () => bytes('RIFF', little32(12), 'WEBPABCD', little32(0))],
    ['TIFF whose tags are outside', () => changed('little.tiff', 4, little32(0x7fffffff))],
    [
      'TIFF with 60000 tags',
      () => bytes('II*\0', little32(8), little16(60000), new Uint8Array(100)),
    ],
    ['TIFF with 60000 channels', () => tiff({ 277: 60000 })],
    ['TIFF with tiles of 16384²', () => tiff({ 322: 16384, 323: 16384 })],
    ['TIFF with tiles of 2³²−1', () => tiff({ 322: 2 ** 32 - 1, 323: 16 })],
    ['TIFF whose pixels are outside', () => tiff({ 273: 100_000_000 })],
    ['TIFF of compressed noise', () => tiff({ 259: 8 })],
    ['TIFF without a size', () => tiff({ 256: 0 })],
    [
      'BigTIFF whose tags are outside',
      () => bytes('II+\0', little16(8), little16(0), little32(0xffffff), little32(0)),
    ],
  ] as const
).map(([name, file]) => [name, file, 'INVALID_IMAGE'] as const);

const unserved: HostileFile[] = (
  [
    ['TIFF of floats', { 258: 32, 339: 3 }],
    ['TIFF of an unknown compression', { 259: 4242 }],
    ['TIFF compressed by Zstandard', { 259: 50_000 }],
    ['TIFF of YCbCr without JPEG', { 262: 6 }],
    ['TIFF of CIELAB', { 262: 8 }],
  ] as const
).map(([name, tags]) => [name, () => tiff(tags), 'UNSUPPORTED_MEDIA_TYPE'] as const);

export const hostileFiles: readonly HostileFile[] = [
  ...cutFiles,
  ...foreign,
  ...tooLarge,
  ...damaged,
  ...unserved,
];

/** Files that look bad and are good: what is around the image does not matter. */
export const oddFiles: readonly (readonly [name: string, file: () => Bytes])[] = [
  [
    'JPEG with a ZIP behind it',
    () => bytes(imageFile('baseline.jpg'), 'PK\x03\x04', new Uint8Array(500)),
  ],
  [
    'JPEG with a script in a comment',
    () => withSegments('baseline.jpg', segment(0xfe, bytes('*/alert(1)/*'))),
  ],
  [
    'JPEG with 19 MiB of metadata',
    () =>
      withSegments(
        'baseline.jpg',
        ...Array.from({ length: 300 }, () => segment(0xe5, new Uint8Array(65_000))),
      ),
  ],
  ['JPEG with fill bytes', () => withSegments('baseline.jpg', new Uint8Array(50).fill(255))],
  ['PNG with an SVG in a text', () => smallPng(pngChunk('tEXt', bytes('a\0<svg></svg>')))],
  [
    'PNG with 19 MiB of metadata',
    () => smallPng(pngChunk('tEXt', new Uint8Array(19 * 1024 * 1024))),
  ],
  ['PNG with bytes behind it', () => bytes(imageFile('rgb.png'), '%PDF-1.7')],
  ['PNG whose data is longer than its pixels', () => png(8, 8, gzipBomb())],
  [
    'GIF that is a script, too',
    () => bytes('GIF89a', little16(8), little16(8), 0x80, 0, 0, '=1;//\0', gif(8, 8).subarray(19)),
  ],
  ['TIFF that is its own second page', () => tiffLoop()],
];

function tiffLoop(): Bytes {
  const file = tiff({});
  file.set(little32(8), 8 + 2 + 9 * 12);
  return file;
}
