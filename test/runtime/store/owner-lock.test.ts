import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { createLog } from '../../../runtime/log.ts';
import { openEmbedded } from '../../../runtime/store/embedded.ts';
import { lockOwner } from '../../../runtime/store/owner-lock.ts';
import { temporaryFiles } from '../../support/files.ts';
import { stateFolder } from '../../support/store.ts';
import { until } from '../../support/until.ts';
import { Owner } from './owner.ts';

const inUse = {
  code: 'INVALID_CONFIG',
  message: /^The embedded database in STATE_DIR is in use by another process.*DATABASE_URL\.$/,
};

test('a second process is refused, and takes over from one that was killed', async () => {
  using state = await stateFolder();
  const folder = path.join(state.path, 'db');
  await using first = new Owner(folder);
  await until(() => first.lines.length > 3, 'the first process writes');
  await assert.rejects(openEmbedded(folder, createLog('silent')), inUse);
  const before = first.lines.length;
  await until(() => first.lines.length > before, 'the first process goes on');
  await first.kill();
  const store = await openEmbedded(folder, createLog('silent'));
  const rows = await store.query<{ id: number }>('select id from acknowledged');
  await store.close();
  const found = new Set(rows.map(({ id }) => String(id)));
  assert.deepEqual(
    first.lines.filter((line) => !found.has(line)),
    [],
  );
});

test('a process that opens the database twice is refused', async () => {
  using files = temporaryFiles({});
  const file = path.join(files.path, 'db.lock');
  const lock = await lockOwner(file);
  await assert.rejects(lockOwner(file), inUse);
  lock.release();
  (await lockOwner(file)).release();
  assert.equal(existsSync(file), false);
});

test('the number of a process that is used again does not keep the lock', async () => {
  using files = temporaryFiles({});
  const file = path.join(files.path, 'db.lock');
  (await lockOwner(file)).release();
  const first = await lockOwner(file);
  const [pid, started, place] = readFileSync(file, 'utf8').split(' ');
  first.release();
  writeFileSync(file, `${pid} ${Number(started) - 1} ${place}`);
  (await lockOwner(file)).release();
});

test('a process that was killed does not keep the lock while its parent has not asked for it', async () => {
  using files = temporaryFiles({});
  const file = path.join(files.path, 'db.lock');
  const mine = await lockOwner(file);
  const place = readFileSync(file, 'utf8').split(' ')[2];
  mine.release();
  // The shell starts a process, and becomes one that never asks for its children.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec tail -f /dev/null']);
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = String(line).trim();
    const stat = (of: number | string = pid) => readFileSync(`/proc/${of}/stat`, 'utf8').split(' ');
    await until(() => stat(parent.pid)[1] === '(tail)', 'the shell is gone');
    process.kill(Number(pid), 'SIGKILL');
    await until(() => stat()[2] === 'Z', 'the process has ended');
    writeFileSync(file, `${pid} ${stat()[21]} ${place}`);
    (await lockOwner(file)).release();
  } finally {
    parent.kill('SIGKILL');
  }
});

test('the lock of another container is taken over when nobody touches it any more', async () => {
  using files = temporaryFiles({ 'db.lock': '1 2 another' });
  const file = path.join(files.path, 'db.lock');
  const touch = (time: number) => utimesSync(file, time / 1000, time / 1000);
  touch(Date.now());
  const refused = lockOwner(file);
  const touching = setInterval(() => touch(Date.now() + 1), 20);
  await assert.rejects(refused, inUse);
  clearInterval(touching);
  touch(Date.now() - 3_600_000);
  (await lockOwner(file)).release();
});

test('one of several processes that find an abandoned lock gets it', async () => {
  using files = temporaryFiles({ 'db.lock': '' });
  const file = path.join(files.path, 'db.lock');
  utimesSync(file, 0, 0);
  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockOwner(file)));
  assert.equal(attempts.filter(({ status }) => status === 'fulfilled').length, 1);
});
