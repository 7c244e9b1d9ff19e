/** @module Long work in short turns lets network events be handled in between, on every runtime. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { ShortTurns } from '../../runtime/short-turns.ts';

test('a connection is served between the turns of long work', async () => {
  const server = createServer((socket) => socket.end('served')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  let served = false;
  const response = once(client, 'data').then(() => {
    served = true;
  });
  const turns = new ShortTurns();
  let count = 0;
  while (!served && count < 50) {
    const end = performance.now() + 6;
    while (performance.now() < end);
    await turns.pause();
    count += 1;
  }
  assert.ok(served, `no response after ${count} turns`);
  await response;
  client.destroy();
  server.close();
});
