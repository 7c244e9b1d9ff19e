/** @module Bodies that are no JSON, and texts that are none, are too long, or are hostile. */

import { INVALID, NOT_JSON, type Problem, problemsOf, TOO_LARGE } from './problem.ts';

const MIB = 1024 * 1024;
const path = '/analyze/sentiment';

/** A body of bytes: JSON with a text of these bytes. */
const withBytes = (...bytes: readonly number[]): Uint8Array => {
  const encoder = new TextEncoder();
  return Uint8Array.from([...encoder.encode('{"text":"a'), ...bytes, ...encoder.encode('"}')]);
};

/** UTF-16, little-endian, with its mark. */
const utf16 = (text: string): Uint8Array =>
  Uint8Array.from([0xff, 0xfe, ...Buffer.from(text, 'utf16le')]);

const bodies: readonly Problem[] = [
  ...problemsOf({ path, ...NOT_JSON }, [
    [
      'cut JSON',
      '{"text": "a',
      /^The body is not valid JSON: it ends at line 1, column 12, but '"' /,
    ],
    ['an empty body', '', /empty/],
    ['a body of white space', ' \n', /empty/],
    ['NaN', '{"text": NaN}', /line 1, column 10 has 'NaN', but a value is expected/],
    ['a raw NUL in a string', '{"text": "a\u0000b"}', /not valid/],
    ['100,000 nested lists', '['.repeat(100_000), /deeper than 100/],
    ['the byte 0xff', withBytes(0xff), /not UTF-8/],
    ['a NUL of two bytes', withBytes(0xc0, 0x80), /not UTF-8/],
    ['a surrogate in UTF-8', withBytes(0xed, 0xa0, 0x80), /not UTF-8/],
    ['a cut character', withBytes(0xf0, 0x9f, 0x98), /not UTF-8/],
    ['a character beyond Unicode', withBytes(0xf4, 0x90, 0x80, 0x80), /not UTF-8/],
    ['UTF-16', utf16('{"text":"fine"}'), /not UTF-8/],
  ]),
  ...problemsOf({ path, ...INVALID }, [
    ['a list as the body', ['a'], /is a list; it must be a JSON object such as/],
    ['null as the body', 'null', /The body is null/],
    ['a string as the body', '"text"', /The body is a string/],
    ['a number as the body', '7', /The body is 7/],
  ]),
];

const texts = problemsOf({ path, ...INVALID }, [
  ['no text', {}, /has no text; send one as text, or 1 to 1000/],
  ['text and texts', { text: 'a', texts: ['b'] }, /both text and texts/],
  ['a text that is null', { text: null }, /text must be a string but is null/],
  ['a text that is a number', { text: 5 }, /text must be a string but is 5/],
  ['a text that is a list', { text: ['a'] }, /is \["a"\]; send a list of texts as texts\.$/],
  ['a text that is an object', { text: {} }, /text must be a string/],
  [
    'texts that are a string',
    { texts: 'a' },
    /a list of strings but is "a"; send one text as text\.$/,
  ],
  ['texts that are an object', { texts: { 0: 'a' } }, /texts must be a list/],
  ['no texts', { texts: [] }, /texts has 0 elements; send 1 to 1000/],
  ['1,001 texts', { texts: Array(1001).fill('a') }, /has 1001 elements/],
  ['250,000 texts', { texts: Array(250_000).fill('') }, /has 250000 elements/],
  ['a number among texts', { texts: ['a', 1] }, /texts\[1\] must be a string but is 1/],
  ['null among texts', { texts: [null] }, /texts\[0\] must be a string but is null/],
  ['a list among texts', { texts: ['a', ['c']] }, /texts\[1\] must be a string but is a list/],
  ['a misspelt member', { txt: 'a' }, /unknown key 'txt'; write 'text'/],
  ['an unknown member', { text: 'a', language: 'de' }, /'language'; its keys are text, texts/],
  ['a member twice', '{"text":"a","text":"b"}', /has the member 'text' twice; send it once\.$/],
  ['the member __proto__', '{"text":"a","__proto__":{}}', /unknown key '__proto__'/],
  ['a lone high surrogate', '{"text":"a\\ud800b"}', /text has a lone surrogate/],
  ['a lone low surrogate', '{"texts":["a","b\\udc00"]}', /texts\[1\] has a lone surrogate/],
  ['a pair in the wrong order', '{"text":"\\ude00\\ud83d"}', /text has a lone surrogate/],
]);

const long = problemsOf({ path, ...TOO_LARGE }, [
  [
    '1 MiB and a byte of one character',
    { text: 'a'.repeat(MIB + 1) },
    /than 1 MiB.*; divide the text\.$/,
  ],
  [
    '1 MiB in many texts',
    { texts: Array(1000).fill('é'.repeat(600)) },
    /1 MiB.*; send them in several/,
  ],
  ['a million combining marks', { text: `a${'\u0301'.repeat(1_000_000)}` }, /more than 1 MiB/],
  ['a flood of zero-width spaces', { text: '\u200b'.repeat(400_000) }, /more than 1 MiB/],
  ['300,000 emoji as escapes', `{"text":"${'\\ud83d\\ude00'.repeat(300_000)}"}`, /than 1 MiB/],
  ['a body of 9 MB', `{"text":"${'a'.repeat(9_000_000)}"}`, /body is longer than 8388608 bytes/],
]);

/** As many different sentences as 1 MiB has room for, of which many words make more tokens than are allowed. */
const sentences = Array.from(
  { length: 24_000 },
  (_, i) => `${i} guests are on the train to the coast. `,
)
  .join('')
  .slice(0, MIB);
const told = ['/analyze/sentiment', '/analyze/ner', '/embed', '/tokenize', '/summarize'].flatMap(
  (route) =>
    problemsOf({ path: route, ...TOO_LARGE }, [
      ['1 MiB of words', { text: sentences }, /100000.*; divide the text/],
    ]),
);

const counted = problemsOf({ path, ...TOO_LARGE, isCounted: true }, [
  ['150,000 words', { text: 'a '.repeat(150_000) }, /100000/],
  ['1 MiB of quotes', { text: '"'.repeat(MIB) }, /100000/],
  ['1 MiB of ideographs', { text: '日'.repeat(MIB / 4) }, /100000/],
  [
    '1,000 texts of 200 words',
    { texts: Array(1000).fill('to be '.repeat(100)) },
    /100000.*several/,
  ],
]);

export const badTexts: readonly Problem[] = [...bodies, ...texts, ...long, ...told, ...counted];
