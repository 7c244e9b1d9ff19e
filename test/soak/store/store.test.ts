/** @module What was acknowledged is in the database, once, whatever is cut, killed or full. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { createLog } from '../../../runtime/log.ts';
import { openStore, type Store } from '../../../runtime/store/index.ts';
import { temporaryFiles } from '../../support/files.ts';
import { noPostgres, startPostgres } from '../../support/postgres.ts';
import { stateFolder } from '../../support/store.ts';
import { until } from '../../support/until.ts';

const WRITES = 5000;
const timeout = 900_000;
const log = createLog('silent');

/** A process that writes; see the fixture. */
class Writer implements AsyncDisposable {
  readonly acknowledged: number[] = [];
  failures = 0;
  readonly other: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(databaseUrl: string, stateDir: string, from = 1) {
    const fixture = path.join(import.meta.dirname, 'writes.fixture.ts');
    this.#child = spawn(process.execPath, [fixture, databaseUrl, stateDir, String(from)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      if (/^\d+$/.test(line)) this.acknowledged.push(Number(line));
      else if (line === 'failed') this.failures += 1;
      else this.other.push(line);
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** Resolves when so many writes more were acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count;
    while (this.acknowledged.length < wanted) {
      const before = this.acknowledged.length;
      await until(() => this.acknowledged.length > before, 'a write is acknowledged');
    }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

async function faults(store: Store, acknowledged: readonly number[]): Promise<string[]> {
  const rows = await store.query<{ id: number; times: number }>(
    'select id, count(*) as times from acknowledged group by id',
  );
  const found = new Map(rows.map(({ id, times }) => [id, times]));
  return [
    ...acknowledged.filter((id) => !found.has(id)).map((id) => `${id} is lost`),
    ...rows
      .filter(({ times }) => times > 1)
      .map(({ id, times }) => `${id} is there ${times} times`),
  ];
}

test('backends are terminated every 50 ms', { skip: noPostgres, timeout }, async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase();
  await using writer = new Writer(url, '');
  await until(() => writer.other.includes('open'), 'the store is open');
  const started = performance.now();
  let over = false;
  let storms = 0;
  const storm = (async () => {
    while (!over) {
      await server.terminateBackends();
      storms += 1;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  await writer.more(WRITES);
  over = true;
  await storm;
  const seconds = (performance.now() - started) / 1000;
  const calm = performance.now();
  await writer.more(1);
  const recovery = performance.now() - calm;
  await writer.kill();
  const store = await openStore({ databaseUrl: url, stateDir: '' }, log);
  const { length } = writer.acknowledged;
  console.log(
    `${length} writes acknowledged in ${seconds.toFixed(1)} s, ${writer.failures} failed and repeated, in ${storms} storms; the first one afterwards took ${recovery.toFixed(0)} ms`,
  );
  assert.deepEqual(await faults(store, writer.acknowledged), []);
  assert.deepEqual(writer.other, ['open']);
  assert.ok(writer.failures > 0 && recovery < 5000);
  await store.close();
});

test('the owner of the embedded database is killed again and again', { timeout }, async () => {
  using state = await stateFolder();
  const acknowledged: number[] = [];
  let kills = 0;
  for (; acknowledged.length < WRITES; kills += 1) {
    await using writer = new Writer('', state.path, kills * 1_000_000 + 1);
    await until(() => writer.other.includes('open'), 'the store is open');
    await writer.more(200 + Math.floor(Math.random() * 200));
    await writer.kill();
    acknowledged.push(...writer.acknowledged);
  }
  const store = await openStore({ databaseUrl: undefined, stateDir: state.path }, log);
  console.log(`${acknowledged.length} writes acknowledged by ${kills} owners that were killed`);
  assert.deepEqual(await faults(store, acknowledged), []);
  await store.close();
});

const noMount = process.getuid?.() !== 0 && 'only root can mount a small file system';

test('the disk of the embedded database is full', { skip: noMount, timeout }, async () => {
  using files = temporaryFiles({});
  const small = path.join(files.path, 'small');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', small]);
  try {
    using prepared = await stateFolder();
    execFileSync('cp', ['-r', path.join(prepared.path, 'db'), small]);
    await using writer = new Writer('', small);
    await writer.more(100);
    const ballast = path.join(small, 'ballast');
    const fill = () =>
      execFileSync('sh', ['-c', `dd if=/dev/zero of=${ballast} bs=64k 2>/dev/null || true`]);
    fill();
    const failed = writer.failures;
    await until(() => writer.failures > failed + 20, 'writes fail');
    execFileSync('rm', [ballast]);
    await writer.more(WRITES - writer.acknowledged.length);
    await writer.kill();
    const store = await openStore({ databaseUrl: undefined, stateDir: small }, log);
    console.log(
      `${writer.acknowledged.length} writes acknowledged, ${writer.failures} failed and repeated`,
    );
    assert.deepEqual(await faults(store, writer.acknowledged), []);
    assert.deepEqual(writer.other, ['open']);
    await store.close();
  } finally {
    execFileSync('umount', [small]);
  }
});
