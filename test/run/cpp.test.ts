import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupsOf, programsOf, root } from './cpp.ts';

test('the programs of test files are read from the list that CMake writes', () => {
  const list = [
    `unit ${root}/test/native/cpp/batching/a_test.cc`,
    `unit ${root}/test/native/cpp/batching/b_test.cc`,
    `codec ${root}/test/native/cpp/codec/c_test.cc`,
  ].join('\n');
  assert.deepEqual(programsOf(list, ['test/native/cpp/batching/b_test.cc']), ['unit']);
  assert.deepEqual(
    programsOf(list, ['test/native/cpp/codec/c_test.cc', 'test/native/cpp/batching/a_test.cc']),
    ['codec', 'unit'],
  );
});

test('the groups of a test file are found for every macro of GoogleTest', () => {
  const source =
    'TEST(One, A) {}\nTEST_F(Two, B) {}\n  TEST_P(Three, C) {}\nTYPED_TEST(Four, D) {}\nTEST(One, E) {}';
  assert.deepEqual(groupsOf('x/y_test.cc', source), ['One', 'Two', 'Three', 'Four']);
  assert.deepEqual(groupsOf('test/native/model/checks.cc', 'int main() {}'), ['model']);
});
