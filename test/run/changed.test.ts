/** @module Tests which files a change can affect, with the files of the project and with small artificial ones. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Affected } from './changed.ts';

const affects = (change: string, file: string) => new Affected([change]).has(file);

describe('a test file is affected by', () => {
  const cases: Readonly<Record<string, [change: string, file: string]>> = {
    itself: ['test/run/a.test.ts', 'test/run/a.test.ts'],
    'what it imports': ['services/prediction/schema.ts', 'test/services/prediction/errors.test.ts'],
    'what that imports': ['native/errors.ts', 'test/services/prediction/errors.test.ts'],
    'a program that it starts': ['services/main.ts', 'test/e2e/start.test.ts'],
    'a fixture that it starts': ['test/native/exit.fixture.ts', 'test/native/exit.test.ts'],
    'a folder of data that it names': ['models/iris/model.json', 'test/e2e/start.test.ts'],
    'the sources of the addon that it loads': [
      'native/src/addon/core.cc',
      'test/native/batching.test.ts',
    ],
    'the packages': ['package-lock.json', 'test/runtime/timings.test.ts'],
    'a C++ source behind a header': [
      'native/src/batching/padding.cc',
      'test/native/cpp/batching/padding_test.cc',
    ],
    'one of several sources behind a header': [
      'native/src/batching/batcher_submit.cc',
      'test/native/cpp/batching/batcher_test.cc',
    ],
    'a module of its folder, in Python': ['test/interop/server.py', 'test/interop/test_http.py'],
    'the service that Python starts': ['services/main.ts', 'test/interop/test_http.py'],
  };
  for (const [name, [change, file]] of Object.entries(cases)) {
    test(name, () => assert.equal(affects(change, file), true));
  }
});

describe('a test file is not affected by', () => {
  const cases: Readonly<Record<string, [change: string, file: string]>> = {
    'another test': ['test/run/junit.test.ts', 'test/rules/sources.test.ts'],
    'a service that it does not use': ['services/main.ts', 'test/runtime/timings.test.ts'],
    'C++ of another layer': [
      'native/src/ort/graph.cc',
      'test/native/cpp/codec/json_cursor_test.cc',
    ],
    'a guide': ['native/README.md', 'test/services/prediction/predict.test.ts'],
  };
  for (const [name, [change, file]] of Object.entries(cases)) {
    test(name, () => assert.equal(affects(change, file), false));
  }
});

test('an import of a type affects no test, because the compiler checks it', () => {
  const files: Readonly<Record<string, string>> = {
    'a.test.ts': "import type { T } from './t.ts';\nimport './v.ts';",
    'v.ts': '',
    't.ts': '',
  };
  const read = (file: string) => files[file] ?? '';
  assert.equal(new Affected(['t.ts'], read).has('a.test.ts'), false);
  assert.equal(new Affected(['v.ts'], read).has('a.test.ts'), true);
});
