import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FormatError, parseTextFormat } from '../../../runtime/repository/text-format.ts';
import { wholeMessage } from './whole-message.ts';

const parse = (text: string) => parseTextFormat(text, wholeMessage);

describe('parseTextFormat reads', () => {
  const cases: Readonly<Record<string, readonly [string, unknown]>> = {
    'an empty text': ['', {}],
    'only a comment': ['# nothing\n', {}],
    'scalars of every kind': [
      'text: "a" flag: true number: -3 large: 7 real: 1.5e-3 kind: SOME',
      { text: 'a', flag: true, number: -3, large: 7, real: 1.5e-3, kind: 'SOME' },
    ],
    'separators of every kind': [
      'text: "a"; number: 1, flag: f',
      { text: 'a', number: 1, flag: false },
    ],
    'numbers in hexadecimal and octal': ['number: 0x1F large: 017', { number: 31, large: 15 }],
    'an enum by its number': ['kind: 1', { kind: 'SOME' }],
    'a number above 2^53 as a string': [
      'large: 18446744073709551615',
      { large: '18446744073709551615' },
    ],
    'a list': ['dims: [ 1, -1, 3 ]', { dims: [1, -1, 3] }],
    'an empty list': ['dims: []', {}],
    'a list and single values': ['dims: 1 dims: [2, 3]', { dims: [1, 2, 3] }],
    messages: [
      'children { text: "a" } children: { child < text: "b" > } children [ {}, { text: "c" } ]',
      { children: [{ text: 'a' }, { child: { text: 'b' } }, {}, { text: 'c' }] },
    ],
    maps: [
      'by_name { key: "x" value { text: "y" } } texts { key: "k" value: "v" } texts: { key: "n" }',
      { by_name: { x: { text: 'y' } }, texts: { k: 'v', n: '' } },
    ],
    'adjacent strings and escapes': [`text: "a\\n" 'b\\'' "\\x41\\101" # c\n`, { text: "a\nb'AA" }],
    'a number sign within a string': ['text: "# no"', { text: '# no' }],
    'a key named __proto__': ['texts { key: "__proto__" value: "v" }', undefined],
  };
  for (const [name, [text, expected]] of Object.entries(cases)) {
    test(name, () => {
      const parsed = parse(text);
      if (expected === undefined) {
        assert.deepEqual(Object.keys(parsed.texts as object), ['__proto__']);
      } else {
        assert.deepEqual(JSON.parse(JSON.stringify(parsed)), expected);
      }
    });
  }
});

describe('parseTextFormat refuses, with the line,', () => {
  const cases: Readonly<Record<string, readonly [string, RegExp]>> = {
    'an unknown field': ['\n\nname: 1', /^line 3: Whole has no field name; its fields are text, /],
    'a field that occurs twice': ['number: 1\nnumber: 2', /^line 2: number is given twice$/],
    'two fields of a oneof': ['one: true other: "x"', /other is given beside one/],
    'a string without quotes': ['text: a', /text must be a string in quotes, found a/],
    'a number that does not fit': ['number: 3000000000', /whole number of type int32/],
    'an infinity': ['real: -inf', /real must be a number/],
    'a fraction': ['number: 1.5', /whole number of type int32/],
    'a word for a bool': ['flag: yes', /true or false/],
    'an unknown enum': ['kind: OTHER', /one of NONE, SOME/],
    'a missing colon': ['number 3', /expected : after number/],
    'a message without its end': ['children { text: "a"', /expected }, found the end/],
    'a list without its end': ['dims: [1, 2', /expected , or ]/],
    'a string without its end': ['text: "abc', /text must be a string in quotes/],
    'a field without its value': ['text:', /found the end/],
    'a message for a number': ['number: {}', /whole number/],
    'messages nested too deep': [`children { ${'child { '.repeat(40)}`, /deeper than 32/],
  };
  for (const [name, [text, message]] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(
        () => parse(text),
        (error: unknown) => error instanceof FormatError && message.test(error.message),
      ),
    );
  }
});
