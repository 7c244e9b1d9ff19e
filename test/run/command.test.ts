import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { marked, runCommand } from './command.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-command-'));
after(() => rmSync(folder, { recursive: true }));

async function run(command: readonly string[], limitMs = 30_000) {
  const log = path.join(folder, 'log');
  rmSync(log, { force: true });
  const done = await runCommand(command, { log, limitMs });
  return { ...done, output: readFileSync(log, 'utf8') };
}

test('a command has its exit code, and its output in order', async () => {
  const done = await run(['sh', '-c', 'echo 1; echo 2 >&2; echo 3; exit 3']);
  const { cpuSeconds, ...rest } = done;
  assert.deepEqual(rest, { code: 3, output: '1\n2\n3\n', timedOut: false, left: [] });
  assert.ok(cpuSeconds < 1);
});

test('a process that outlives its command is reported and killed, even in its own session', async () => {
  const done = await run(['sh', '-c', 'echo $MILLRACE_TEST_MARK; setsid sleep 300 &']);
  assert.deepEqual(done.left, ['sleep 300']);
  assert.deepEqual(marked(done.output.trim()), []);
});

test('a command that exceeds its time limit is killed with all its processes', async () => {
  const done = await run(['sh', '-c', 'echo $MILLRACE_TEST_MARK; sleep 300 & sleep 300'], 500);
  assert.equal(done.timedOut, true);
  assert.deepEqual(marked(done.output.trim()), []);
});

test('a command that does not exist is a failure', async () => {
  const done = await run(['./no-such-command']);
  assert.equal(done.code, -1);
  assert.match(done.output, /no-such-command/);
});

test('the CPU time includes that of descendants', async () => {
  const { cpuSeconds } = await run([
    ...['sh', '-c', 'sh -c "i=0; while [ \\$i -lt 100000 ]; do i=\\$((i+1)); done"; true'],
  ]);
  assert.ok(cpuSeconds > 0.02, `${cpuSeconds} s`);
});
