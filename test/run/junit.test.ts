import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseJunit } from './junit.ts';

const outcomes = (xml: string) =>
  Object.fromEntries(parseJunit(xml).map(({ name, outcome }) => [name, outcome]));

test('the reader accepts groups, empty elements and failures with a body, as bun writes them', () => {
  const xml = `<testsuites><testsuite name="a.test.ts" tests="3">
    <testcase name="plain &quot;q&quot;" classname="" file="a.test.ts" />
    <testsuite name="group"><testcase name="one" classname="group">
      <failure type="AssertionError" message="1 !== 2">at a.test.ts:1</failure>
    </testcase></testsuite>
    <testcase name="left out" classname="group"><skipped /></testcase>
  </testsuite></testsuites>`;
  assert.deepEqual(outcomes(xml), {
    'plain "q"': 'passed',
    'group > one': 'failed',
    'group > left out': 'skipped',
  });
});

test('a group of Deno is not a case of its own', () => {
  const xml = `<testsuite name="./a.test.ts">
    <testcase name="group" classname="./a.test.ts"><failure message="1 test step failed">x</failure></testcase>
    <testcase name="group &gt; one" classname="ext:deno_node/testing.ts"></testcase>
    <testcase name="group &gt; two" classname="ext:deno_node/testing.ts"><failure message="no">x</failure></testcase>
  </testsuite>`;
  assert.deepEqual(outcomes(xml), { 'group > one': 'passed', 'group > two': 'failed' });
});

test('a failed group of Deno without a failed member is a case, because its set-up failed', () => {
  const xml = `<testcase name="group" classname="./a.test.ts"><failure message="before">x</failure></testcase>
    <testcase name="group &gt; one" classname="./a.test.ts"></testcase>`;
  assert.deepEqual(outcomes(xml), { group: 'failed', 'group > one': 'passed' });
});

test('reasons of Node are kept, and its entry for a file without a test is not a case', () => {
  const xml = `<testcase name="a" time="0.1" classname="test"><skipped type="skipped" message="needs a &lt;GPU>"/></testcase>
    <testcase name="/x/empty.test.ts" time="0.1" classname="test"/>
    <testcase name="b > c" time="0.1" classname="test"/>`;
  assert.deepEqual(parseJunit(xml), [
    { name: 'a', outcome: 'skipped', reason: 'needs a <GPU>' },
    { name: 'b > c', outcome: 'passed', reason: '' },
  ]);
});

test('outcomes of ctest come from its statuses', () => {
  const xml = `<testsuite><testcase name="batcher" classname="batcher" status="run"></testcase>
    <testcase name="queue" classname="queue" status="fail"><failure message=""/></testcase>
    <testcase name="gpu" classname="gpu" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/></testcase></testsuite>`;
  assert.deepEqual(
    parseJunit(xml).map(({ outcome }) => outcome),
    ['passed', 'failed', 'skipped'],
  );
});

test('the reason of a skip in ctest is the text that the test printed', () => {
  const xml = `<testcase name="a.b" classname="a.b" status="notrun">
    <skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
    <system-out>[ RUN      ] a.b
../a_test.cc:151: Skipped
sleeps end &gt; 1 ms late
[  SKIPPED ] a.b (0 ms)
</system-out></testcase>`;
  const [only] = parseJunit(xml);
  assert.deepEqual([only!.outcome, only!.reason], ['skipped', 'sleeps end > 1 ms late']);
});

test('the reason of a skip in GoogleTest has no file and line', () => {
  const xml = `<testcase name="CanBeUsed/cuda" status="run" result="skipped" classname="Gpu/ProviderTest">
      <skipped message="../gpu_test.cc:43&#x0A;no driver"><![CDATA[../gpu_test.cc:43
no driver]]></skipped>
    </testcase>`;
  const [only] = parseJunit(xml);
  assert.deepEqual([only!.outcome, only!.reason], ['skipped', 'no driver']);
});
