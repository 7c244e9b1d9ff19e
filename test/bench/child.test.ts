import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Child, jsonLine } from '../../bench/lib/child.ts';

const script = (code: string) => Child.start({ argv: [process.execPath, '-e', code] });

test('Child reads lines one by one, even if they arrive together', async () => {
  await using child = await script(
    'console.log("hello"); console.log(JSON.stringify({port:1})); console.log(JSON.stringify({done:2}))',
  );
  assert.deepEqual(await child.line(jsonLine('port')), { port: 1 });
  assert.deepEqual(await child.line(jsonLine('done')), { done: 2 });
  await child.finished();
});

test('Child reports a failed process with the end of its stderr', async () => {
  await using child = await script('console.error("no such model"); process.exit(3)');
  await assert.rejects(child.line(jsonLine('port')), /exited with 3:\nno such model/);
  await assert.rejects(child.finished(), /exited with 3/);
});

test('Child ends the process at the end of its scope', async () => {
  const child = await script('setInterval(() => {}, 1000); console.log("{\\"port\\":1}")');
  await child.line(jsonLine('port'));
  await child[Symbol.asyncDispose]();
  assert.throws(() => process.kill(child.pid, 0));
});

test('jsonLine skips other lines', () => {
  const parse = jsonLine('port');
  assert.equal(parse('listening'), undefined);
  assert.equal(parse('{"port":'), undefined);
  assert.equal(parse('{"level":30}'), undefined);
  assert.deepEqual(parse('{"port":8}'), { port: 8 });
});
