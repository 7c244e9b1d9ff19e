/** @module Without an addon, or with a wrong library, the error says what to do, and nothing crashes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { EngineOptions, MillraceErrorCode } from '../../native/index.ts';
import { runChild } from './child.ts';
import { engineOptions, open, thrown } from './support.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-loader-'));
after(() => rmSync(folder, { recursive: true }));

/** The addon that is tested. */
const { addon = path.resolve(import.meta.dirname, '../../build/Release/millrace.node') } =
  engineOptions();

const file = (name: string) => path.join(folder, name);

/** A library that says it is this version of ONNX Runtime, and has no other function. */
const stub = (version: string | undefined) => `
struct Base { const void *(*api)(unsigned); const char *(*version)(void); };
static const void *api(unsigned number) { (void)number; return 0; }
static const char *version(void) { return "${version ?? ''}"; }
static const struct Base base = { api, version };
const struct Base *${version === undefined ? 'SomethingElse' : 'OrtGetApiBase'}(void) { return &base; }
`;

function compile(name: string, version: string | undefined): void {
  const source = file(`${name}.c`);
  writeFileSync(source, stub(version));
  execFileSync('cc', ['-shared', '-fPIC', '-o', file(`${name}.so`), source]);
}

before(() => {
  compile('other', undefined);
  compile('old', '1.10.0');
  compile('odd', 'unknown');
  compile('hollow', '1.99.0');
  writeFileSync(file('text.so'), 'not a library');
  writeFileSync(file('text.node'), 'not an addon');
  mkdirSync(file('folder.node'));
});

type Outcome = { readonly version: string } | { readonly code: string; readonly message: string };

/** Opens engines in one new process, one after another. */
async function openIn(options: readonly EngineOptions[]): Promise<readonly Outcome[]> {
  const parameters = options.map((one) => JSON.stringify({ ...engineOptions(), ...one }));
  const { code, signal, stderr, stdout, timedOut } = await runChild(
    'loader.fixture.ts',
    parameters,
  );
  assert.deepEqual(
    { code, signal, stderr, timedOut },
    { code: 0, signal: null, stderr: '', timedOut: false },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const cases: readonly (readonly [string, EngineOptions, MillraceErrorCode, RegExp])[] = [
  [
    'an addon that does not exist',
    { addon: file('absent.node') },
    'NOT_FOUND',
    /addon is not built.*absent\.node.*`npm run build`/,
  ],
  [
    'a file that is not an addon',
    { addon: file('text.node') },
    'FAILED_PRECONDITION',
    /Cannot load the native addon.*text\.node.*`npm run build`/,
  ],
  [
    'a folder instead of an addon',
    { addon: file('folder.node') },
    'FAILED_PRECONDITION',
    /Cannot load the native addon.*`npm run build`/,
  ],
  [
    'a library that does not exist',
    { library: file('absent.so') },
    'NOT_FOUND',
    /ONNX Runtime library.*absent\.so.*Point ORT_LIBRARY at/,
  ],
  [
    'a file that is not a library',
    { library: file('text.so') },
    'NOT_FOUND',
    /ONNX Runtime library.*text\.so/,
  ],
  [
    'another library',
    { library: file('other.so') },
    'FAILED_PRECONDITION',
    /other\.so is not an ONNX Runtime library.*Point ORT_LIBRARY at/,
  ],
  [
    'an ONNX Runtime that is too old',
    { library: file('old.so') },
    'FAILED_PRECONDITION',
    /ONNX Runtime 1\.10\.0 is too old.*1\.\d+ or newer/,
  ],
  [
    'an ONNX Runtime of unknown version',
    { library: file('odd.so') },
    'FAILED_PRECONDITION',
    /ONNX Runtime unknown/,
  ],
  [
    'a newer ONNX Runtime without its functions',
    { library: file('hollow.so') },
    'FAILED_PRECONDITION',
    /ONNX Runtime 1\.99\.0.*API version/,
  ],
];

describe('openEngine', () => {
  let outcomes: readonly Outcome[] = [];
  before(async () => {
    outcomes = await openIn([
      ...cases.map(([, options]) => options),
      {},
      { library: file('old.so') },
      {},
      { addon: path.relative(process.cwd(), addon) },
    ]);
  });

  for (const [index, [what, , code, message]] of cases.entries()) {
    test(`refuses ${what} with ${code}`, () => {
      const outcome = outcomes[index];
      assert.ok(outcome !== undefined && 'code' in outcome, JSON.stringify(outcome));
      assert.equal(outcome.code, code);
      assert.match(outcome.message, message);
      assert.doesNotMatch(outcome.message, /\n|undefined|\[object/);
    });
  }

  test('opens with valid options after all those errors', () => {
    assert.ok('version' in outcomes[cases.length]!, JSON.stringify(outcomes));
  });

  test('refuses a second library in one process with FAILED_PRECONDITION, and the first continues to work', () => {
    const [second, third] = outcomes.slice(cases.length + 1);
    assert.ok(second !== undefined && 'code' in second);
    assert.equal(second.code, 'FAILED_PRECONDITION');
    assert.match(second.message, /already uses the ONNX Runtime library.*cannot load another/);
    assert.ok('version' in third!);
  });

  test('accepts an addon by its path relative to the working directory', () => {
    assert.ok('version' in outcomes.at(-1)!, JSON.stringify(outcomes.at(-1)));
  });

  test('refuses a library that is not a string with INVALID_ARGUMENT', () => {
    thrown(() => open({ library: 7 as unknown as string }), 'INVALID_ARGUMENT');
  });
});
