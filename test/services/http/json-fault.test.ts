/** @module What an error says about a text that is not JSON, the same on every host. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { jsonFault, repeatedMember } from '../../../services/http/json-fault.ts';

const END = "but '\"' is expected";
const faults: readonly (readonly [text: string, fault: string])[] = [
  ['{"text": "a', `it ends at line 1, column 12, ${END}`],
  ['{"text": NaN}', "line 1, column 10 has 'NaN', but a value is expected"],
  ['{"a":1,}', "line 1, column 8 has '}', but a name in double quotes is expected"],
  ['{"a":1,\n b:2}', "line 2, column 2 has 'b', but a name in double quotes is expected"],
  ["{'a':1}", 'line 1, column 2 has a single quote, but a name in double quotes is expected'],
  ['{"a" 1}', "line 1, column 6 has '1', but ':' is expected"],
  ['[1 2]', "line 1, column 4 has '2', but ',' or ']' is expected"],
  ['[1,]', "line 1, column 4 has ']', but a value is expected"],
  ['{"a":1', "it ends at line 1, column 7, but ',' or '}' is expected"],
  ['{"a":1}\n}', "line 2, column 1 has '}', but the end is expected"],
  ['01', "line 1, column 2 has '1', but the end is expected"],
  ['[1.]', "line 1, column 3 has '.', but ',' or ']' is expected"],
  ['{"a":"b\nc"}', 'line 1, column 8 has a line break, but its escape \\n is expected'],
  ['{"a":"\t"}', 'line 1, column 7 has a tab, but its escape \\t is expected'],
  ['["\u0000"]', "line 1, column 3 has '\ufffd', but its escape in four digits, \\u…, is expected"],
  ['["C:\\dir"]', "line 1, column 5 has '\\d', but an escape such as \\n or \\\\ is expected"],
  ['["\\u12g4"]', "line 1, column 3 has '\\u', but an escape such as \\n or \\\\ is expected"],
  ['undefined', "line 1, column 1 has 'undefined', but a value is expected"],
  [`[${'x'.repeat(99)}]`, `line 1, column 2 has '${'x'.repeat(20)}…', but a value is expected`],
  ['["a",👩‍🚀]', "line 1, column 6 has '👩', but a value is expected"],
  ['[\ud800]', "line 1, column 2 has '\ufffd', but a value is expected"],
];

describe('a text that is not JSON', () => {
  for (const [text, fault] of faults) {
    test(`${JSON.stringify(text).slice(0, 60)}: ${fault.slice(0, 60)}`, () => {
      assert.throws(() => JSON.parse(text), SyntaxError);
      assert.equal(jsonFault(text), fault);
    });
  }

  test('has a fault wherever one character is left out, and exactly if the host finds one', () => {
    const json = '{"a": [1, -2.5e+3, "b\\u00e9\\n", true], "c": {"d": null, "e": []}, "f": {}} ';
    assert.equal(jsonFault(json), undefined);
    for (let i = 0; i < json.length; i += 1) {
      for (const put of ['', 'x', '"', ',', '}', '0', '\\']) {
        const text = json.slice(0, i) + put + json.slice(i + 1);
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        assert.equal(jsonFault(text) === undefined, isJson, text);
      }
    }
  });

  for (const [name, text] of Object.entries({
    'many values': `[${'1,'.repeat(4_000_000)}`,
    'many escapes': `["${'\\n'.repeat(4_000_000)}`,
    'many lines': `${'\n'.repeat(8_000_000)}x`,
    'a long string': `["${'a'.repeat(8_000_000)}`,
  })) {
    test(`of ${name} is left after a short time`, () => {
      const start = performance.now();
      assert.equal(jsonFault(text), undefined);
      assert.ok(performance.now() - start < 500);
    });
  }
});

test('a member that an object has twice is found', () => {
  for (const [json, name] of [
    ['{"text":"a","text":"b"}', 'text'],
    ['[{"a":{"b":1,"\\u0062":2}}]', 'b'],
    ['{"a":{"b":1},"b":{"a":2},"c":[{"a":1},{"a":1}]}', undefined],
    ['{"text":"\\"text\\":1,\\"text\\":1"}', undefined],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
  ] as const) {
    assert.equal(repeatedMember(json), name, json);
  }
});
