import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseJsonFormat } from '../../../runtime/repository/json-format.ts';
import { FormatError } from '../../../runtime/repository/text-format.ts';
import { wholeMessage } from './whole-message.ts';

const parse = (text: string) => parseJsonFormat(text, wholeMessage);

describe('parseJsonFormat reads', () => {
  const cases: Readonly<Record<string, readonly [string, unknown]>> = {
    'an empty object': ['{}', {}],
    'scalars of every kind': [
      '{"text": "a", "flag": false, "number": -3, "large": 7, "real": 1.5, "kind": "SOME"}',
      { text: 'a', flag: false, number: -3, large: 7, real: 1.5, kind: 'SOME' },
    ],
    'an enum by its number': ['{"kind": 1}', { kind: 'SOME' }],
    'integers as strings': [
      '{"number": "7", "large": "18446744073709551615", "dims": ["-1"]}',
      { number: 7, large: '18446744073709551615', dims: [-1] },
    ],
    'messages and lists of them': [
      '{"children": [{"text": "a"}, {"child": {}}], "by_name": {"x": {"text": "b"}}}',
      { children: [{ text: 'a' }, { child: {} }], by_name: { x: { text: 'b' } } },
    ],
    'empty lists, empty maps and null as absent fields': [
      '{"dims": [], "children": [], "texts": {}, "by_name": null, "text": null, "number": 0}',
      { number: 0 },
    ],
  };
  for (const [name, [text, expected]] of Object.entries(cases)) {
    test(name, () => assert.deepEqual(JSON.parse(JSON.stringify(parse(text))), expected));
  }

  test('a key named __proto__', () => {
    const { texts } = parse('{"texts": {"__proto__": "v"}}');
    assert.deepEqual(Object.keys(texts as object), ['__proto__']);
  });
});

describe('parseJsonFormat refuses, with the path of the field,', () => {
  const cases: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a text that is not JSON': ['{', /^it is not valid JSON$/],
    'an unknown field': ['{"name": 1}', /^Whole has no field name; its fields are text, /],
    'an unknown field of a nested message': [
      '{"children": [{}, {"name": 1}]}',
      /^children\[1\] has no field name; its fields are text, child$/,
    ],
    'a field named constructor': ['{"constructor": 1}', /no field constructor/],
    'two fields of a oneof': ['{"one": true, "other": "x"}', /other is given beside one/],
    'a number for a string': ['{"text": 1}', /^text must be a string, found 1$/],
    'a string for a number': ['{"number": "a"}', /^number must be a whole number of type int32/],
    'a number that does not fit': ['{"number": 3000000000}', /of type int32, found 3000000000/],
    'a fraction': ['{"dims": [1, 1.5]}', /^dims\[1\] must be a whole number of type int64/],
    'a number for a bool': ['{"flag": 1}', /true or false, found 1/],
    'a string for a float': ['{"real": "1"}', /real must be a number/],
    'an unknown enum': ['{"kind": "OTHER"}', /kind must be one of NONE, SOME, found "OTHER"/],
    'a value for a list': ['{"dims": 1}', /dims must be a list/],
    'a list for a message': ['{"by_name": {"x": []}}', /^by_name\.x must be an object, found \[\]/],
    'null in a list': ['{"children": [null]}', /children\[0\] must be an object, found null/],
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
