/** @module Regular expressions of tokenizers: which ones may take too long, and for which texts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Patterns } from '../../../runtime/text/tokenizer/patterns.ts';
import { regexCost } from '../../../runtime/text/tokenizer/regex-cost.ts';

const ENDINGS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** Those of models that are in use. */
const LINEAR = [
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`,
  `${ENDINGS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`,
  `[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+${ENDINGS}?|${SPACES}`,
  `<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+`,
  ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  '[!-/:-@\\[-`{-~]?[A-Za-z]+|[^\\r\\n]?[\\p{L}\\p{M}]+',
  ' {2,}',
  '(\\p{L}\\p{M}*)+x',
  '(?:[^\\S\\n]|\\n(?!\\n))+x',
  '(?:abc)+x',
  '(?:\\d{3})*x',
  // Nothing follows that could fail.
  '(\\s?\\p{L}+)+',
  '((a+)+)?',
  // Nothing is tried twice.
  '(?>a+)+b',
  '(?:(?>a|aa)b)+c',
  '(?:ab|cd|a)+$',
  '(?:\\p{L}{1,3}\\d)+x',
  '(a++)+b',
  // Not an expression.
  ')(',
  '[',
  '',
];

const EXPONENTIAL = [
  '(a+)+$',
  '(x+x+)+y',
  '(?:\\s+\\w*)+!',
  '(?:\\w|\\d)+$',
  '(\\s?\\p{L}+)+(?!x)',
  'b(?:(?:[a-z]+)+)+$',
  '([\\p{L}\\s]+\\s*)+$',
  '(?:(a+)+|b)c',
  '(?=(a+)+b)',
  // Alternatives of different lengths, and limits of repetitions, divide a text in many ways, too.
  '(a|aa)+$',
  '(ab|a|b)+$',
  '(?:\\w|\\d\\d)+$',
  '(.|..)*$',
  '((a|aa)b?)+$',
  '(a?a?)+$',
  '(a{1,2})+$',
  '(a{1,50}){1,50}$',
  '(a|b|aa)+?c',
];

const BOMB = '\\d{1,3}(?=(?:\\d{3})*\\b)';
const split = (Regex: string) => ({
  type: 'Sequence',
  pretokenizers: [{ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false }],
});

describe('expressions', () => {
  for (const source of LINEAR) {
    test(`${source} takes linear time`, () => {
      assert.deepEqual(regexCost(source), { isExponential: false, looksThrough: [] });
    });
  }

  for (const source of EXPONENTIAL) {
    test(`${source} may take exponential time, and is refused`, () => {
      assert.equal(regexCost(source).isExponential, true);
      assert.throws(() => Patterns.of([split(source)]), {
        code: 'INVALID_CONFIG',
        message: /which takes exponential time for some texts/,
      });
    });
  }

  for (const [source, classes] of [
    ['a*a*b', ['a', 'a']],
    ['^\\s*(.*?)\\s*$', ['\\s', '.', '\\s', '.', '\\s']],
    ['.*x.*y', ['.', '.']],
    ['(?:\\s*\\s*x)?', ['\\s', '\\s']],
  ] as const) {
    test(`${source} divides runs of characters`, () => {
      assert.deepEqual(regexCost(source), { isExponential: false, looksThrough: classes });
    });
  }

  test('look through digits again and again', () => {
    for (const source of [BOMB, '(?=(\\d{3})+(?!\\d))', 'a|b(?<=x\\d*)c']) {
      assert.deepEqual(regexCost(source), { isExponential: false, looksThrough: ['\\d'] });
    }
  });
});

describe('texts', () => {
  const patterns = Patterns.of([null, split(BOMB)]);

  test('may not have too many characters in a row that are looked through', () => {
    assert.equal(patterns.refusal(`a${'1'.repeat(1024)} ${'2'.repeat(1024)}`), undefined);
    assert.equal(patterns.refusal('a'.repeat(100_000)), undefined);
    const error = patterns.refusal(`a${'1'.repeat(1025)}`);
    assert.equal(error?.code, 'INVALID_ARGUMENT');
    assert.match(error!.message, /more than 1024 characters of one kind in a row/);
  });

  test('may have any characters if no expression looks far', () => {
    const harmless = Patterns.of([split(LINEAR[0]!), undefined]);
    assert.equal(harmless.refusal('1'.repeat(100_000)), undefined);
  });

  test('have no more of any character in a row if the class is not understood', () => {
    for (const source of ['a(?=[[:alpha:]&&[^b]]*b)', 'a(?=\\h*b)']) {
      const unknown = Patterns.of([split(source)]);
      assert.equal(unknown.refusal('x'.repeat(1025))?.code, 'INVALID_ARGUMENT');
    }
  });
});
