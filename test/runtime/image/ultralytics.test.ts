/** @module The metadata that Ultralytics writes into ONNX files. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readNames, ultralyticsExport } from '../../../runtime/image/ultralytics.ts';
import { assertBelow, wallMs } from '../../support/below.ts';

const namesOf = (text: string) => readNames(text)?.map(([id, name]) => `${id}=${name}`);

describe('names are read as Python or JSON writes them', () => {
  for (const [text, expected] of [
    ["{0: 'person', 1: 'bicycle'}", ['0=person', '1=bicycle']],
    [`{0: "it's", 1: 'a "b"'}`, ["0=it's", '1=a "b"']],
    [
      `{0: 'it\\'s', 1: 'back\\\\slash', 2: 'new\\nline'}`,
      ["0=it's", '1=back\\slash', '2=new\nline'],
    ],
    ["{0: 'caf\\xe9', 1: '\\u732b', 2: '\\U0001f408'}", ['0=café', '1=猫', '2=🐈']],
    ["{0: '猫', 1: 'two words'}", ['0=猫', '1=two words']],
    ["{0: 'a, b', 1: 'c: {d}'}", ['0=a, b', '1=c: {d}']],
    ["{0: ''}", ['0=']],
    ["{7: 'b', 2: 'a',}", ['7=b', '2=a']],
    ['{"0": "person", "1": "bicycle"}', ['0=person', '1=bicycle']],
    ["['person', 'bicycle']", ['0=person', '1=bicycle']],
    [" { 0 : 'a' , 1 : 'b' } ", ['0=a', '1=b']],
    ['{}', []],
  ] as const) {
    test(text, () => {
      assert.deepEqual(namesOf(text), expected);
    });
  }
});

describe('anything else is refused, and nothing is evaluated', () => {
  for (const text of [
    '',
    'person',
    "{0: 'person'",
    "0: 'person'}",
    "{0: 'person']",
    '{0: person}',
    "{0: 'person' 1: 'bicycle'}",
    "{0: 'person', , 1: 'b'}",
    "{: 'person'}",
    "{'a': 'person'}",
    "{-1: 'person'}",
    "{1.5: 'person'}",
    '{0: 1}',
    "{0: ['a']}",
    "{0: {'a': 'b'}}",
    "{0: __import__('os').system('true')}",
    "{0: 'a' + 'b'}",
    "{0: 'a'}; 1",
    "{0: 'a\\q'}",
    "{0: 'a\\U99999999'}",
    "{0: 'unclosed}",
    "{0: f'a'}",
    "{0: b'a'}",
    "{0: 'a\nb'}",
    '{0: None}',
  ]) {
    test(text, () => {
      assert.equal(readNames(text), undefined);
    });
  }

  test('a long text without an end is refused in no time', async () => {
    await assertBelow(1000, 3, () =>
      wallMs(() => {
        assert.equal(readNames(`{0: '${'\\\\'.repeat(500_000)}}`), undefined);
        assert.equal(readNames(`{${' '.repeat(500_000)}0`), undefined);
      }),
    );
  });
});

describe('an export says what it is', () => {
  const metadata = {
    author: 'Ultralytics',
    task: 'detect',
    stride: '32',
    names: "{0: 'a', 2: 'c'}",
    imgsz: '[384, 640]',
  };

  test('classes without a name are called by their number', () => {
    assert.deepEqual(ultralyticsExport(metadata), {
      task: 'detect',
      labels: ['a', '1', 'c'],
      size: { height: 384, width: 640 },
      isEndToEnd: false,
    });
  });

  for (const imgsz of ['640', '[640]', '(640, 640)', '[640, 640]', ' [ 640 , 640 ] ']) {
    test(`imgsz ${imgsz}`, () => {
      const { size } = ultralyticsExport({ ...metadata, imgsz })!;
      assert.deepEqual(size, { height: 640, width: 640 });
    });
  }

  for (const more of [{ end2end: 'True' }, { args: "{'batch': 1, 'nms': True}" }] as const) {
    test(`suppression in the graph: ${JSON.stringify(more)}`, () => {
      assert.equal(ultralyticsExport({ ...metadata, ...more })?.isEndToEnd, true);
    });
  }

  test('metadata of others say nothing', () => {
    assert.equal(ultralyticsExport(undefined), undefined);
    assert.equal(ultralyticsExport({}), undefined);
    assert.equal(ultralyticsExport({ author: 'me', names: 'anything' }), undefined);
  });

  for (const [name, wrong, message] of [
    [
      'names that are code',
      { names: "{0: open('a')}" },
      /^The metadata 'names' of the model file must be a dictionary such as .* but begins with "\{0: open/,
    ],
    [
      'a number twice',
      { names: "{0: 'a', 0: 'b'}" },
      /'names' of the model file has the number 0 twice; export/,
    ],
    [
      'a number that is too large',
      { names: "{999999: 'a'}" },
      /has the number '999999', but numbers must be whole and less than 100000/,
    ],
    [
      'a size that is none',
      { imgsz: 'large' },
      /'imgsz' of the model file must be a size such as \[640, 640\] but is "large"/,
    ],
    ['a size of nothing', { imgsz: '[0, 640]' }, /'imgsz'/],
    ['a size that is too large', { imgsz: '[640, 99999]' }, /'imgsz'/],
  ] as const) {
    test(`${name} is an error`, () => {
      assert.throws(() => ultralyticsExport({ ...metadata, ...wrong }), {
        code: 'INVALID_CONFIG',
        message,
      });
    });
  }
});
