/** @module Tests that ROUTING_FILE is followed by all HTTP threads of a process without a database. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RawClient } from '../support/raw-http.ts';
import { until } from '../support/until.ts';
import { MODELS, ROW, type Running, start } from './support.ts';

const file = MODELS.iris!.versions['v1.0']!;
const models = {
  iris: {
    config: { ...(MODELS.iris!.config as object), default_version: 'v1.0' },
    versions: { 'v1.0': file, 'v2.0': file },
  },
};
const users = Array.from({ length: 32 }, (_, i) => `user-${i}`);

/** A folder as Kubernetes mounts a ConfigMap: the file is a link through `..data`, which is swapped. */
function configMap() {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-configmap-'));
  let number = 0;
  const replace = (content: string) => {
    number += 1;
    const name = `..2026_${number}`;
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'routing.json'), content);
    symlinkSync(name, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    rmSync(join(folder, `..2026_${number - 1}`), { recursive: true, force: true });
  };
  symlinkSync('..data/routing.json', join(folder, 'routing.json'));
  return {
    path: join(folder, 'routing.json'),
    replace,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

interface Response {
  readonly thread: string;
  readonly version: string | undefined;
}

async function predict(client: RawClient, user: string): Promise<Response> {
  const body = JSON.stringify({ features: ROW });
  const headers = ['Host: test', 'Content-Type: application/json', `X-User-Id: ${user}`];
  client.send(
    `POST /predict HTTP/1.1\r\n${headers.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const { status, headers: received } = (await client.response())!;
  assert.equal(status, 200);
  const thread = received['x-request-id']!.slice(0, 'req_'.length + 10);
  return { thread, version: received['x-model-version'] };
}

/** A connection to each of the two threads. The kernel chooses a thread for each new connection at random. */
async function bothThreads({ port }: Running): Promise<RawClient[]> {
  const found = new Map<string, RawClient>();
  for (let i = 0; i < 200 && found.size < 2; i += 1) {
    const client = new RawClient(port);
    const { thread } = await predict(client, 'anyone');
    if (found.has(thread)) client[Symbol.dispose]();
    else found.set(thread, client);
  }
  assert.equal(found.size, 2);
  return [...found.values()];
}

const versionsOf = async (client: RawClient): Promise<(string | undefined)[]> => {
  const versions: (string | undefined)[] = [];
  for (const user of users) versions.push((await predict(client, user)).version);
  return versions;
};

const ready = async ({ url }: Running) =>
  (await (await fetch(`${url}/ready`)).json()) as { notes?: string[] };

test('both threads follow the swap of a mounted file, keep the last good one, and say why', async () => {
  using map = configMap();
  const sticky = { header: 'X-User-Id' };
  map.replace(JSON.stringify({ iris: { weights: { 'v1.0': 1, 'v2.0': 1 }, sticky } }));
  const env = { MAX_WORKERS: '2', ROUTING_FILE: map.path };
  let before: (string | undefined)[];
  {
    await using service = await start(env, models);
    const clients = await bothThreads(service);
    const [first, second] = await Promise.all(clients.map(versionsOf));
    assert.deepEqual([...new Set(first)].toSorted(), ['v1.0', 'v2.0'], 'from the first request on');
    assert.deepEqual(second, first);
    before = first!;
    assert.equal((await ready(service)).notes, undefined);
    assert.equal(await service.metric('millrace_routing_file_valid'), 1);

    map.replace('{"iris": {"weights": {"v1.0": "most"}}}');
    await until(async () => (await ready(service)).notes !== undefined, '/ready has a note');
    const [note] = (await ready(service)).notes!;
    assert.match(note!, /weights\.v1\.0 must be a number but is "most"/);
    await until(
      async () => (await service.metric('millrace_routing_file_valid')) === 0,
      'the metric shows it',
    );
    await service.child.line('ROUTING_FILE not used');
    for (const client of clients) assert.deepEqual(await versionsOf(client), first);

    map.replace(JSON.stringify({ 'v1.0': 0, 'v2.0': 1 }));
    for (const client of clients) {
      const isFollowed = async () => (await versionsOf(client)).every((each) => each === undefined);
      await until(isFollowed, 'the route with one version is in effect');
    }
    const response = await service.predict({ features: ROW });
    assert.equal(((await response.json()) as { model_version: string }).model_version, 'v2.0');
    for (const client of clients) client[Symbol.dispose]();
  }
  map.replace(JSON.stringify({ iris: { weights: { 'v1.0': 3, 'v2.0': 3 }, sticky } }));
  await using again = await start(env, models);
  const clients = await bothThreads(again);
  for (const client of clients) {
    assert.deepEqual(await versionsOf(client), before, 'the same after a restart');
    client[Symbol.dispose]();
  }
  assert.ok(!existsSync(join(map.path, '../db')), 'no database is opened');
});
