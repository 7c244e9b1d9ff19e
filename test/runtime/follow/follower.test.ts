/** @module The follower publishes what the catalog has, as far as its files are there, and goes on after every failure. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bus, StateChange } from '../../../runtime/bus.ts';
import type { CatalogSnapshot, CatalogVersion } from '../../../runtime/catalog/index.ts';
import { Follower } from '../../../runtime/follow/index.ts';
import { createLog, ServeError } from '../../../runtime/index.ts';
import { until } from '../../support/until.ts';

const version = (name: string): CatalogVersion => ({
  ...{ version: name, digest: `sha256:${name}`, config: null, signature: null, path: '' },
});

const unreachable = new ServeError('STORE_UNAVAILABLE', 'The database cannot be reached.');

/** A catalog with one model, whose versions tests set, and a follower of it. */
class Fixture implements Disposable {
  versions: string[] = ['1'];
  labels: Record<string, string> = {};
  /** Throws while the catalog cannot be read. */
  read = () => {};
  /** The files of a version. Tests replace it. */
  get: (version: string) => Promise<string> = async (name) => `/files/${name}`;
  publish: (change: StateChange) => Promise<void> = async () => {};
  notify = () => {};
  now = 0;
  readonly published: string[][] = [];
  readonly asked: string[] = [];
  kept: readonly string[] = [];
  readonly lines: string[] = [];
  readonly follower: Follower;

  constructor(isNotified = true) {
    const bus: Bus = {
      publish: async (change) => {
        await this.publish(change);
        this.published.push(shown((change as { snapshot: CatalogSnapshot }).snapshot));
      },
    };
    this.follower = new Follower({
      followed: {
        snapshot: async () => {
          this.read();
          const model = {
            name: 'm',
            labels: this.labels,
            route: undefined,
            routeSource: undefined,
          };
          return { models: [{ ...model, versions: this.versions.map(version) }] };
        },
        listen: async (listener) => {
          this.notify = listener;
          return async () => {
            this.notify = () => {};
          };
        },
      },
      files: {
        get: (_model, { version: name }) => {
          this.asked.push(name);
          return this.get(name);
        },
        keep: async (digests) => {
          this.kept = [...digests];
        },
      },
      bus,
      log: createLog('info', { write: (line) => void this.lines.push(JSON.parse(line).msg) }),
      clock: { now: () => this.now },
      isNotified,
      pollMs: 1,
    });
  }

  async start(): Promise<string[]> {
    const first = shown(await this.follower.first());
    await this.follower.start();
    await this.follower.follow();
    return first;
  }

  [Symbol.dispose]() {
    void this.follower.close();
  }
}

/** The versions of a snapshot with their paths or failures, and its labels. */
const shown = ({ models }: CatalogSnapshot): string[] =>
  models.flatMap(({ versions, labels }) => [
    ...versions.map((each) => `${each.version} ${each.failure ?? each.path}`),
    ...Object.entries(labels).map(([label, name]) => `${label}=${name}`),
  ]);

test('the first snapshot has the files of all versions, and is not published again', async () => {
  using fixture = new Fixture();
  fixture.versions = ['1', '2'];
  assert.deepEqual(await fixture.start(), ['1 /files/1', '2 /files/2']);
  assert.deepEqual(fixture.published, []);
});

describe('a change', () => {
  test('that is notified is published', async () => {
    using fixture = new Fixture();
    await fixture.start();
    fixture.labels = { stable: '1' };
    fixture.notify();
    await until(() => fixture.published.length === 1, 'the change is published');
    assert.deepEqual(fixture.published, [['1 /files/1', 'stable=1']]);
    assert.deepEqual(fixture.kept, ['sha256:1']);
  });

  test('whose notification is lost is found by a poll', async () => {
    using fixture = new Fixture(false);
    await fixture.start();
    fixture.labels = { stable: '1' };
    fixture.now += 10_000;
    await until(() => fixture.published.length === 1, 'the change is published');
  });

  test('is published when follow() resolves', async () => {
    using fixture = new Fixture();
    await fixture.start();
    fixture.versions = ['1', '2'];
    await fixture.follower.follow();
    assert.deepEqual(fixture.published.at(-1), ['1 /files/1', '2 /files/2']);
  });

  test('is published when follow() resolves, also if its files are made during another publication', async () => {
    using fixture = new Fixture();
    await fixture.start();
    const made = Promise.withResolvers<string>();
    fixture.get = () => made.promise;
    fixture.publish = async () => {
      made.resolve('/files/2');
      await nextTurn();
    };
    fixture.versions = ['1', '2'];
    fixture.labels = { stable: '1' };
    await fixture.follower.follow();
    assert.deepEqual(fixture.published, [
      ['1 /files/1', 'stable=1'],
      ['1 /files/1', '2 /files/2', 'stable=1'],
    ]);
  });

  test('that the threads could not make is published again', async () => {
    using fixture = new Fixture();
    await fixture.start();
    fixture.publish = () => Promise.reject(new ServeError('INTERNAL', 'No agreement.'));
    fixture.labels = { stable: '1' };
    await fixture.follower.follow();
    assert.deepEqual(fixture.follower.notes(), [
      'Changes of models and routes are not followed at the moment: No agreement.',
    ]);
    fixture.publish = async () => {};
    fixture.now += 10_000;
    await until(() => fixture.published.length === 1, 'the change is published');
    await until(() => fixture.follower.notes().length === 0, 'the note is gone');
  });
});

describe('a version whose files take long', () => {
  test('delays no other change, and is published when they are there', async () => {
    using fixture = new Fixture();
    await fixture.start();
    const files = Promise.withResolvers<string>();
    fixture.get = () => files.promise;
    fixture.versions = ['1', '2'];
    fixture.labels = { stable: '1' };
    fixture.notify();
    await until(() => fixture.published.length === 1, 'the label is published');
    assert.deepEqual(fixture.published, [['1 /files/1', 'stable=1']]);
    assert.deepEqual(fixture.kept, ['sha256:1', 'sha256:2'], 'its files are not removed meanwhile');
    files.resolve('/files/late');
    await until(() => fixture.published.length === 2, 'the version is published');
    assert.deepEqual(fixture.published.at(-1), ['1 /files/1', '2 /files/late', 'stable=1']);
  });

  test('and no more than four are made at the same time', async () => {
    using fixture = new Fixture();
    const files = Promise.withResolvers<string>();
    fixture.get = () => files.promise;
    fixture.versions = ['1', '2', '3', '4', '5', '6'];
    const first = fixture.follower.first();
    await until(() => fixture.asked.length === 4, 'four are asked for');
    files.resolve('/files');
    assert.equal(shown(await first).length, 6);
    assert.deepEqual(fixture.asked, fixture.versions);
  });
});

describe('a version whose files cannot be had', () => {
  test('is published with the reason, and tried again after a growing time', async () => {
    using fixture = new Fixture();
    fixture.get = () => Promise.reject(new ServeError('STORE_UNAVAILABLE', 'Out of reach.'));
    assert.deepEqual(await fixture.start(), ['1 Out of reach.']);
    assert.equal(fixture.asked.length, 1);
    fixture.now += 1000;
    await until(() => fixture.asked.length === 2, 'it is tried again');
    await fixture.follower.follow();
    fixture.now += 1999;
    await fixture.follower.follow();
    assert.equal(fixture.asked.length, 2, 'not before two seconds');
    fixture.get = async () => '/files/1';
    fixture.now += 1;
    await until(() => fixture.published.length === 1, 'it is published');
    assert.deepEqual(fixture.published, [['1 /files/1']]);
  });

  test('because its signature is refused is not tried again', async () => {
    using fixture = new Fixture();
    fixture.get = () => Promise.reject(new ServeError('REJECTED', 'It is not signed.'));
    assert.deepEqual(await fixture.start(), ['1 It is not signed.']);
    fixture.now += 1_000_000;
    await fixture.follower.follow();
    assert.equal(fixture.asked.length, 1);
  });
});

describe('a catalog that cannot be read', () => {
  test('stops the start', async () => {
    using fixture = new Fixture();
    fixture.read = () => {
      throw unreachable;
    };
    await assert.rejects(fixture.follower.first(), { code: 'STORE_UNAVAILABLE' });
  });

  test('later leaves what is served, with a note and one line in the log, until it can be read', async () => {
    using fixture = new Fixture();
    await fixture.start();
    fixture.read = () => {
      throw unreachable;
    };
    fixture.labels = { stable: '1' };
    await fixture.follower.follow();
    await fixture.follower.follow();
    assert.match(fixture.follower.notes()[0]!, /cannot be reached/);
    const failures = () => fixture.lines.filter((line) => line.includes('cannot be followed'));
    assert.equal(failures().length, 1);
    fixture.read = () => {};
    fixture.now += 10_000;
    await until(() => fixture.published.length === 1, 'the change is published');
    await until(() => fixture.follower.notes().length === 0, 'the note is gone');
    assert.ok(fixture.lines.includes('the catalog is followed again'));
  });
});

test('nothing is published after close()', async () => {
  using fixture = new Fixture(false);
  await fixture.start();
  await fixture.follower.close();
  fixture.labels = { stable: '1' };
  await fixture.follower.follow();
  assert.deepEqual(fixture.published, []);
});
