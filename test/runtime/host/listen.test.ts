/** @module What the host does with addresses and connections. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { currentHost, type Host, ServeError } from '../../../runtime/index.ts';
import { RawClient } from '../../support/raw-http.ts';

type Listen = Parameters<Host['listen']>[0];

const options = (changes: Partial<Listen> = {}): Listen => ({
  hostname: '127.0.0.1',
  port: 0,
  setting: 'PORT',
  idleTimeoutSecs: 75,
  shared: false,
  fetch: () => new Response('here'),
  ...changes,
});

const refused = (changes: Partial<Listen>, message: RegExp) =>
  assert.rejects(currentHost().listen(options(changes)), (error: unknown) => {
    assert.ok(error instanceof ServeError);
    assert.equal(error.code, 'LISTEN_FAILED');
    assert.match(error.message, message);
    return true;
  });

describe('an address', () => {
  for (const [hostname, url] of [
    ['127.0.0.1', 'http://127.0.0.1'],
    ['::1', 'http://[::1]'],
    ['::', 'http://[::1]'],
    ['localhost', 'http://localhost'],
  ] as const) {
    test(`HOST=${hostname} accepts connections`, async () => {
      const { port, stop } = await currentHost().listen(options({ hostname }));
      assert.equal(await (await fetch(`${url}:${port}/`)).text(), 'here');
      await stop();
    });
  }

  test('that another listener uses is refused with a sentence about the port', async () => {
    const { port, stop } = await currentHost().listen(options());
    await refused({ port }, new RegExp(`^Port ${port} is already in use; .* in PORT\\.$`));
    await stop();
  });

  test('of another machine is refused with a sentence about HOST', () =>
    refused({ hostname: '192.0.2.1' }, /^HOST 192\.0\.2\.1 is not an address of this machine;/));

  test('that is neither an IP address nor a known name is refused with a sentence about HOST', () =>
    refused({ hostname: 'unknown.invalid' }, /^HOST unknown\.invalid is not a name that/));
});

test('a response that takes longer than the idle timeout is sent, and the timeout begins afterwards', async () => {
  const listener = await currentHost().listen(
    options({
      idleTimeoutSecs: 1,
      fetch: async () => {
        await sleep(2500);
        return new Response('late');
      },
    }),
  );
  using client = new RawClient(listener.port);
  client.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n');
  assert.equal((await client.response())?.body, 'late');
  // Deno has no idle timeout; there, only the stop closes the connection.
  if (currentHost().name.startsWith('bun')) assert.equal(await client.response(), undefined);
  await listener.stop();
});

test('an error that a handler throws becomes a response that does not show it', async () => {
  // The test runner of Bun would take the error for a failure of this test.
  const fixture = path.join(import.meta.dirname, 'failure.fixture.ts');
  const args = process.versions.deno === undefined ? [] : ['run', '-A', '--no-check'];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, fixture]);
  assert.equal(stdout, '500 hidden\n');
});
