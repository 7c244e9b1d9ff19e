/** @module Bodies that are no requests with images, and the beginnings of their refusals. */
import {
  bytes,
  END,
  FORM_TYPE,
  form,
  imagePart,
  inPieces,
  json,
  part,
  type Sent,
} from './intake-support.ts';

/** A body, with its refusal: the code, and words of the sentence. */
export type HostileBody = readonly [name: string, sent: () => Sent, code: string, words: RegExp];

const MIB = 1024 * 1024;

const typed = (content: string, type: string): Sent => ({ body: bytes(content), type });
const raw = (content: string): Sent => typed(content, FORM_TYPE);
const head = (headers: string, content = 'abc') =>
  raw(`--edge\r\n${headers}\r\n\r\n${content}\r\n${END}`);
const DISPOSITION = 'Content-Disposition: form-data; name="image"; filename="a.jpg"';
const whole = `--edge\r\n${DISPOSITION}\r\n\r\nabc\r\n--edge--`;

const forms: HostileBody[] = (
  [
    ['no part', () => form(), /no image/],
    ['only fields', () => form(part('name="top_k"', '3')), /form has no image/],
    ['an empty image', () => form(imagePart('')), /empty/],
    ['an empty image among others', () => form(imagePart(), imagePart('')), /images\[1\] is empty/],
    ['a URL among others', () => form(imagePart(), imagePart('http://a')), /images\[1\] is a URL/],
    ['an unknown file', () => form(imagePart(), imagePart('a', 'photo')), /file as 'photo'/],
    [
      'a file in a field',
      () => form(imagePart(), part('name="top_k"; filename="k"', '3')),
      /'top_k'/,
    ],
    [
      'images under two names',
      () => form(imagePart(), imagePart('a', 'images')),
      /image and as images/,
    ],
    [
      '33 images',
      () => form(...Array.from({ length: 33 }, () => imagePart())),
      /more than 32 images/,
    ],
    [
      '33 fields',
      () => form(imagePart(), ...Array.from({ length: 33 }, (_, i) => part(`name="f${i}"`, ''))),
      /more than 32 fields/,
    ],
    [
      '20,000 fields',
      () => form(...Array.from({ length: 20_000 }, () => part('name="f"', ''))),
      /more than 32 fields/,
    ],
    [
      'a field with a long name',
      () => form(imagePart(), part(`name="${'n'.repeat(200)}"`, '')),
      /name of more than 128/,
    ],
    [
      'a field that is not UTF-8',
      () => form(imagePart(), part('name="x"', '\xff\xfe')),
      /not UTF-8/,
    ],
    [
      'a URL as image',
      () => form(part('name="image"', 'https://example.com/a.jpg')),
      /never fetched/,
    ],
    [
      'the name of a file as image',
      () => form(part('name="image"', 'photo.jpg')),
      /image is the text 'photo.jpg', not a file/,
    ],
    ['the URL of a file as image', () => form(imagePart(' file:///etc/passwd')), /never fetched/],
    [
      'a nested form',
      () => head(`${DISPOSITION}\r\nContent-Type: multipart/mixed; boundary=b`),
      /form itself/,
    ],
    [
      'an encoded part',
      () => head(`${DISPOSITION}\r\nContent-Transfer-Encoding: base64`),
      /Transfer-Encoding/,
    ],
    ['a part without headers', () => raw(`--edge\r\n\r\nabc\r\n${END}`), /no name/],
    ['a part without a disposition', () => head('Content-Type: image/jpeg'), /no name/],
    [
      'a part without a name',
      () => head('Content-Disposition: form-data; filename="a.jpg"'),
      /no name/,
    ],
    ['a part with an empty name', () => head('Content-Disposition: form-data; name=""'), /no name/],
    [
      'a part of another disposition',
      () => head('Content-Disposition: attachment; name="image"'),
      /no name/,
    ],
    ['a damaged disposition', () => head('Content-Disposition: form-data; name="image'), /no name/],
    ['two dispositions', () => head(`${DISPOSITION}\r\n${DISPOSITION}`), /two content-disposition/],
    ['a header without a colon', () => head(`${DISPOSITION}\r\nnonsense`), /damaged header/],
    [
      'a header of 9 KiB',
      () => head(`${DISPOSITION}\r\nX: ${'x'.repeat(9000)}`),
      /8192 bytes of headers/,
    ],
    [
      'a header that never ends',
      () => raw(`--edge\r\n${'x'.repeat(100_000)}`),
      /8192 bytes of headers/,
    ],
    ['no end', () => raw(whole.slice(0, -2)), /line break|closing boundary/],
    ['an end within its boundary', () => raw(whole.slice(0, -5)), /closing boundary/],
    ['an end within its image', () => raw(whole.slice(0, -12)), /closing boundary/],
    ['an end within headers', () => raw(whole.slice(0, 30)), /closing boundary/],
    ['only its first boundary', () => raw('--edge\r\n'), /closing boundary/],
    ['half a boundary', () => raw('--ed'), /not contain the boundary/],
    ['zero bytes', () => raw(''), /not contain the boundary/],
    [
      'another boundary',
      () => typed(whole, 'multipart/form-data; boundary=other'),
      /not contain the boundary/,
    ],
    ['a boundary that goes on', () => raw(whole.replace('--edge--', '--edgewise--')), /line break/],
    [
      'a boundary without the dashes',
      () => raw(whole.replaceAll('--edge', 'edge')),
      /not contain the boundary/,
    ],
    ['line feeds alone', () => raw(whole.replaceAll('\r\n', '\n')), /line break/],
    [
      'a long text before it',
      () => raw(`${'x'.repeat(10_000)}\r\n${whole}`),
      /not begin with the boundary/,
    ],
    ['no boundary in its type', () => typed(whole, 'multipart/form-data'), /no boundary/],
    ['an empty boundary', () => typed(whole, 'multipart/form-data; boundary=""'), /no boundary/],
    [
      'a boundary of 71 characters',
      () => typed(whole, `multipart/form-data; boundary=${'b'.repeat(71)}`),
      /at most 70/,
    ],
    ['a damaged type', () => typed(whole, 'multipart/form-data; boundary="edge'), /no boundary/],
  ] as const
).map(([name, sent, words]) => [`a form with ${name}`, sent, 'INVALID_ARGUMENT', words] as const);

const text = 'A'.repeat(400);

const jsonBodies: HostileBody[] = (
  [
    ['no image', () => json({}), 'INVALID_ARGUMENT', /no image/],
    ['only options', () => json({ top_k: 3 }), 'INVALID_ARGUMENT', /no image/],
    [
      'image and images',
      () => json({ image: text, images: [text] }),
      'INVALID_ARGUMENT',
      /send one of them/,
    ],
    [
      'two images of the same name',
      () => json(`{"image":"${text}","image":"${text}"}`),
      'INVALID_ARGUMENT',
      /'image' twice/,
    ],
    ['no images', () => json({ images: [] }), 'INVALID_ARGUMENT', /images is empty/],
    [
      '33 images',
      () => json({ images: Array(33).fill(text) }),
      'INVALID_ARGUMENT',
      /more than 32 images/,
    ],
    ['images that are no list', () => json({ images: text }), 'INVALID_ARGUMENT', /must be a list/],
    ['an empty image', () => json({ image: '' }), 'INVALID_ARGUMENT', /image is empty/],
    [
      'an empty data URL',
      () => json({ images: ['data:image/png;base64,'] }),
      'INVALID_ARGUMENT',
      /images\[0\] is empty/,
    ],
    ['an image of null', () => json({ image: null }), 'INVALID_ARGUMENT', /must be a string/],
    [
      'an image that is a number',
      () => json({ images: [text, 7] }),
      'INVALID_ARGUMENT',
      /images\[1\] must be a string/,
    ],
    [
      'an image that is an object',
      () => json({ image: { url: 'https://a' } }),
      'INVALID_ARGUMENT',
      /must be a string/,
    ],
    [
      'a URL',
      () => json({ image: 'https://example.com/a.jpg' }),
      'INVALID_ARGUMENT',
      /never fetched/,
    ],
    [
      'a URL of a file',
      () => json({ images: [text, 'file:///etc/passwd'] }),
      'INVALID_ARGUMENT',
      /images\[1\] .* never fetched/,
    ],
    [
      'a long URL',
      () => json({ image: `http://a/${'x'.repeat(10_000)}` }),
      'INVALID_ARGUMENT',
      /never fetched/,
    ],
    [
      'a data URL without base64',
      () => json({ image: 'data:image/svg+xml,%3Csvg%3E' }),
      'INVALID_ARGUMENT',
      /without base64/,
    ],
    [
      'a data URL without a comma',
      () => json({ image: `data:image/png;base64${'x'.repeat(500)}` }),
      'INVALID_ARGUMENT',
      /without base64/,
    ],
    [
      'base64 with line breaks',
      () => json({ image: `${text}\n${text}` }),
      'INVALID_ARGUMENT',
      /not base64/,
    ],
    [
      'base64 with a wrong character',
      () => json({ image: `${'A'.repeat(300_000)}!` }),
      'INVALID_ARGUMENT',
      /not base64/,
    ],
    [
      'base64 that ends in its middle',
      () => json({ image: `${text}==${text}` }),
      'INVALID_ARGUMENT',
      /not base64/,
    ],
    ['base64 of one character', () => json({ image: 'A' }), 'INVALID_ARGUMENT', /empty|not base64/],
    [
      'an escape in base64',
      () => json(`{"image":"${'A'.repeat(9000)}\\u0041"}`),
      'INVALID_ARGUMENT',
      /not base64/,
    ],
    [
      'another long string',
      () => json({ image: text, model: 'm'.repeat(9000) }),
      'INVALID_ARGUMENT',
      /no image/,
    ],
    [
      'a long name',
      () => json({ image: text, ['n'.repeat(9000)]: 1 }),
      'INVALID_ARGUMENT',
      /no image/,
    ],
    [
      'a long string deep inside',
      () => json({ image: text, a: [{ b: 'x'.repeat(9000) }] }),
      'INVALID_ARGUMENT',
      /no image/,
    ],
    [
      '27 MiB in an image',
      () => json({ image: 'A'.repeat(28 * MIB) }),
      'IMAGE_TOO_LARGE',
      /20971520 bytes/,
    ],
    [
      '1 MiB of other members',
      () => json({ image: text, x: Array(300_000).fill(1) }),
      'PAYLOAD_TOO_LARGE',
      /beside its images/,
    ],
    [
      '60 MiB of short strings',
      () => json(`{"image":"${text}","x":[${'"abcdefgh",'.repeat(5_000_000)}""]}`),
      'PAYLOAD_TOO_LARGE',
      /beside its images/,
    ],
    ['a list', () => json([text]), 'INVALID_JSON', /object with an image/],
    ['a string', () => json(`"${text}"`), 'INVALID_JSON', /object with an image/],
    ['nothing', () => json(''), 'INVALID_JSON', /empty/],
    ['a string without an end', () => json('{"image":"AAAA'), 'INVALID_JSON', /no end/],
    ['an escaped end', () => json('{"image":"AAAA\\"}'), 'INVALID_JSON', /no end/],
    [
      'half an object',
      () => json(`{"image":"${'A'.repeat(9000)}"`),
      'INVALID_JSON',
      /not valid JSON/,
    ],
    [
      'deep lists',
      () => json(`{"image":"${text}","x":${'['.repeat(200)}${']'.repeat(200)}}`),
      'INVALID_JSON',
      /deeper/,
    ],
    [
      'bytes that are not UTF-8',
      () => typed('{"model":"\xff"}', 'application/json'),
      'INVALID_JSON',
      /not UTF-8/,
    ],
    [
      'a file under its type',
      () => typed('\xff\xd8\xff\xe0', 'application/json'),
      'INVALID_JSON',
      /not (valid JSON|UTF-8)/,
    ],
  ] as const
).map(([name, ...rest]) => [`JSON with ${name}`, ...rest] as const);

const WRONG_TYPE = 'UNSUPPORTED_MEDIA_TYPE';

const others: HostileBody[] = [
  ['a file of zero bytes', () => typed('', 'image/png'), 'INVALID_ARGUMENT', /no image/],
  [
    'a form of curl',
    () => typed('image=a', 'application/x-www-form-urlencoded'),
    WRONG_TYPE,
    /urlencoded/,
  ],
  ['a text', () => typed('https://example.com/a.jpg', 'text/plain'), WRONG_TYPE, /send multipart/],
  ['a PDF', () => typed('%PDF', 'application/pdf'), WRONG_TYPE, /send multipart/],
  [
    'another multipart type',
    () => typed(whole, 'multipart/mixed; boundary=edge'),
    WRONG_TYPE,
    /send multipart/,
  ],
  ['a type of no form', () => typed('a', 'image'), WRONG_TYPE, /send multipart/],
  [
    'data that is not gzip',
    () => ({ ...form(imagePart()), headers: { 'Content-Encoding': 'gzip' } }),
    'INVALID_ARGUMENT',
    /not valid gzip/,
  ],
  [
    'an unknown encoding',
    () => ({ ...form(imagePart()), headers: { 'Content-Encoding': 'zstd' } }),
    'UNSUPPORTED_ENCODING',
    /not supported/,
  ],
];

export const hostileBodies: readonly HostileBody[] = [...forms, ...jsonBodies, ...others];

const endless = (start: Uint8Array): ReadableStream<Uint8Array> =>
  inPieces(bytes(start, new Uint8Array(60 * MIB)), 65_536);

/** Bodies of 60 MiB that are refused long before their end, and the bytes that are needed for that. */
export const earlyRefusals: readonly (readonly [
  name: string,
  sent: () => Sent,
  code: string,
  needed: number,
])[] = [
  ['a file', () => ({ body: endless(bytes('')), type: 'image/png' }), 'IMAGE_TOO_LARGE', 20 * MIB],
  [
    'an image of a form',
    () => ({ body: endless(bytes(`--edge\r\n${DISPOSITION}\r\n\r\n`)), type: FORM_TYPE }),
    'IMAGE_TOO_LARGE',
    20 * MIB,
  ],
  [
    'a field',
    () => ({
      body: endless(bytes('--edge\r\nContent-Disposition: form-data; name=a\r\n\r\n')),
      type: FORM_TYPE,
    }),
    'PAYLOAD_TOO_LARGE',
    16 * 1024,
  ],
  [
    'a 33rd image',
    () => ({
      body: endless(bytes(...Array.from({ length: 33 }, () => imagePart()))),
      type: FORM_TYPE,
    }),
    'INVALID_ARGUMENT',
    4096,
  ],
  ['no form', () => ({ body: endless(bytes('')), type: FORM_TYPE }), 'INVALID_ARGUMENT', 8192],
];
