import assert from 'node:assert/strict';
import { after, beforeEach, describe, test } from 'node:test';
import { hashArtifact, type LocalArtifact } from '../../../runtime/artifacts/index.ts';
import { ServeError } from '../../../runtime/errors.ts';
import type { Store } from '../../../runtime/store/index.ts';
import { testStore } from '../../support/store.ts';
import { until } from '../../support/until.ts';
import { clear, expire, FOUND, rejects, testCatalog } from './support.ts';

const store = await testStore();
after(() => store.close());
beforeEach(() => clear(store));

const refusal = (reason: string) => new ServeError('REJECTED', reason);

/** What the audit log says of a model, the oldest first. */
async function eventsOf(model: string): Promise<readonly string[]> {
  const rows = await store.query<{ what: string }>(
    'select what from catalog_events where model = $1 order by id',
    [model],
  );
  return rows.map(({ what }) => what);
}

/** A probe that waits until the test lets it go on. */
function heldProbe() {
  const started: string[] = [];
  const go = Promise.withResolvers<void>();
  const probe = async ({ version }: { version: string }) => {
    started.push(version);
    await go.promise;
    return FOUND;
  };
  return { probe, started, go: go.resolve, fail: go.reject };
}

describe('a registration', () => {
  test('records what the probe found, and stores the files', async () => {
    await using t = await testCatalog({ store });
    const { version, isNew } = await t.register('iris', 'v1.0', 'abc', { metadata: { a: [1] } });
    assert.equal(isNew, true);
    const { digest } = await hashArtifact(t.files('abc'));
    const { created_at, revision, ...rest } = version;
    assert.match(created_at!, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.equal(revision, (await t.catalog.model('iris')).revision);
    assert.deepEqual(rest, {
      ...{ name: 'iris', version: 'v1.0', state: 'ready', reason: null, digest, bytes: 3 },
      ...{ signature_status: 'unsigned', metadata: { a: [1] }, config: null },
      ...{ ...FOUND, purged: false, created_by: 'ann' },
    });
    assert.equal(await t.parts.artifacts.has(digest), true);
    assert.deepEqual(await t.catalog.version('iris', 'v1.0'), version);
    assert.deepEqual(await eventsOf('iris'), ['register', 'ready']);
  });

  test('with the same content is the same version, with other content or configuration a conflict', async () => {
    await using t = await testCatalog({ store });
    const first = await t.register('iris', 'v1', 'abc');
    const again = await t.register('iris', 'v1', 'abc');
    assert.deepEqual(again, { version: first.version, isNew: false });
    await rejects(t.register('iris', 'v1', 'abd'), 'CONFLICT', /exists with another content/);
    const config = { instances: 2 };
    await rejects(t.register('iris', 'v1', 'abc', { config }), 'CONFLICT', /configuration/);
    assert.deepEqual(await t.catalog.version('iris', 'v1'), first.version);
  });

  test('of a version that lies in the repository, or has the name of a label, is a conflict', async () => {
    await using t = await testCatalog({ store }, { iris: ['v1'] });
    await rejects(t.register('iris', 'v1'), 'CONFLICT', /lies in MODEL_PATH/);
    await t.catalog.setLabel('iris', 'beta', 'v1', { who: 'ann', once: undefined }, undefined);
    await rejects(t.register('iris', 'beta'), 'CONFLICT', /the name of a label/);
    const { versions } = await t.catalog.model('iris');
    assert.deepEqual(versions, [{ version: 'v1', state: 'ready' }]);
  });

  test('without a configuration has that of the model in the repository', async () => {
    await using t = await testCatalog({ store }, { iris: ['v1'] });
    const shared = await t.register('iris', 'v2');
    assert.deepEqual(shared.version.config, { labels: ['of the model'] });
    const own = await t.register('iris', 'v3', 'abc', { config: { instances: 2 } });
    assert.deepEqual(own.version.config, { instances: 2 });
    assert.equal((await t.register('other', 'v1')).version.config, null);
    assert.equal((await t.register('iris', 'v2')).isNew, false);
  });

  test('tries versions one after the other', async () => {
    let running = 0;
    const probe = async () => {
      running += 1;
      assert.equal(running, 1);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return FOUND;
    };
    await using t = await testCatalog({ store, probe });
    await Promise.all(['v1', 'v2', 'v3'].map((version) => t.register('iris', version)));
  });
});

describe('two registrations at once', () => {
  test('of the same content make one version, and both get it', async () => {
    const held = heldProbe();
    await using t = await testCatalog({ store, probe: held.probe });
    const both = [t.register('iris', 'v1', 'abc'), t.register('iris', 'v1', 'abc')];
    await until(() => held.started.length > 0, 'the probe runs');
    held.go();
    const results = await Promise.all(both);
    assert.deepEqual(results.map(({ isNew }) => isNew).toSorted(), [false, true]);
    assert.deepEqual(results[0]!.version, results[1]!.version);
    assert.equal(held.started.length, 1);
  });

  test('of other content make one version, and the other one is a conflict', async () => {
    await using t = await testCatalog({ store });
    const outcomes = await Promise.allSettled([
      t.register('iris', 'v1', 'abc'),
      t.register('iris', 'v1', 'abd'),
    ]);
    assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
    const { reason } = outcomes.find(
      ({ status }) => status === 'rejected',
    ) as PromiseRejectedResult;
    assert.equal(reason.code, 'CONFLICT');
  });

  test('of a version that is rejected both get the reason', async () => {
    const held = heldProbe();
    await using t = await testCatalog({ store, probe: held.probe });
    const both = [t.register('iris', 'v1', 'abc'), t.register('iris', 'v1', 'abc')];
    await until(() => held.started.length > 0, 'the probe runs');
    held.fail(refusal('It is damaged.'));
    for (const outcome of await Promise.allSettled(both)) {
      assert.equal(outcome.status, 'rejected');
      assert.match(outcome.reason.message, /was rejected: It is damaged\.$/);
    }
  });
});

describe('a version that is rejected', () => {
  test('keeps the reason, stores no files, and can be registered again with other content', async () => {
    let reason: string | undefined = 'It is no model.';
    const probe = async () => {
      if (reason !== undefined) throw refusal(reason);
      return FOUND;
    };
    await using t = await testCatalog({ store, probe });
    await rejects(t.register('iris', 'v1', 'bad'), 'REJECTED', /'v1' of model 'iris'.*no model/);
    const version = await t.catalog.version('iris', 'v1');
    assert.deepEqual([version.state, version.reason], ['rejected', reason]);
    assert.equal(await t.parts.artifacts.has(version.digest!), false);
    assert.deepEqual((await t.catalog.snapshot()).models, []);
    reason = undefined;
    const { version: good, isNew } = await t.register('iris', 'v1', 'good');
    assert.deepEqual([good.state, good.reason, isNew], ['ready', null, true]);
    assert.deepEqual(await eventsOf('iris'), ['register', 'reject', 'register', 'ready']);
  });

  test('keeps of the reason what can be stored, because it may repeat what the files say', async () => {
    const reason = `Output 'a\0b' is one of ${'many, '.repeat(10_000)}`;
    const probe = () => Promise.reject(refusal(reason));
    await using t = await testCatalog({ store, probe });
    await rejects(t.register('iris', 'v1'), 'REJECTED', /Output 'a\uFFFDb' is one/);
    const version = await t.catalog.version('iris', 'v1');
    assert.equal(version.state, 'rejected');
    assert.equal(version.reason, `${reason.slice(0, 1000).replace('\0', '\uFFFD')}…`);
  });

  test('is one whose signature the policy refuses; a warning is kept as its reason', async () => {
    const status = 'invalid' as const;
    const verdict = { status, refusal: 'The model is not signed.', warning: undefined };
    await using t = await testCatalog({ store, checkSignature: async () => verdict });
    await rejects(t.register('iris', 'v1'), 'REJECTED', /not signed/);
    const warned = { status, refusal: undefined, warning: 'The key is unknown.' };
    await using w = await testCatalog({ store, checkSignature: async () => warned });
    const { version } = await w.register('iris', 'v1');
    assert.deepEqual(
      [version.signature_status, version.reason],
      ['invalid', 'The key is unknown.'],
    );
  });

  test('is one whose files cannot be stored, with the code of the failure', async () => {
    await using t = await testCatalog({ store });
    const failure = new ServeError('STORE_UNAVAILABLE', 'The disk is full.');
    const artifacts = { ...t.parts.artifacts, put: () => Promise.reject(failure) };
    await using broken = await testCatalog({ store, artifacts: artifacts as never });
    await rejects(broken.register('iris', 'v1'), 'STORE_UNAVAILABLE', /The disk is full/);
    assert.equal((await t.catalog.version('iris', 'v1')).state, 'rejected');
    assert.equal((await t.register('iris', 'v1')).version.state, 'ready');
  });

  test('is one whose probe fails for a reason of the server, which clients do not see', async () => {
    const probe = () => Promise.reject(new Error('EACCES /srv/secret'));
    await using t = await testCatalog({ store, probe });
    await assert.rejects(t.register('iris', 'v1'), /EACCES/);
    const { reason } = await t.catalog.version('iris', 'v1');
    assert.equal(reason, 'The server failed to try or store it.');
  });
});

describe('a connection that is cut', () => {
  test('after a step was made, or before, does not end the registration', async () => {
    await using t = await testCatalog({ store });
    let steps = 0;
    // Of three transactions one is carried out but its outcome does not arrive, one does not begin, and one succeeds.
    const cut: Store['transaction'] = async (work) => {
      steps += 1;
      if (steps % 3 === 0) return store.transaction(work);
      if (steps % 3 === 1) await store.transaction(work);
      throw new ServeError('STORE_UNAVAILABLE', 'The connection was cut.');
    };
    const broken: Store = {
      kind: store.kind,
      transaction: cut,
      query: (text, values) => store.query(text, values),
      listen: (channel, listener) => store.listen(channel, listener),
      tryLock: (name) => store.tryLock(name),
      close: async () => {},
    };
    await using s = await testCatalog({ store: broken, artifacts: t.parts.artifacts });
    const { version, isNew } = await s.register('iris', 'v1', 'abc');
    assert.deepEqual([version.state, isNew], ['ready', true]);
    assert.equal(steps, 6);
    assert.deepEqual(await eventsOf('iris'), ['register', 'ready']);
  });
});

describe('a server that dies', () => {
  test('while it validates leaves a version that is rejected when its lease has run out', async () => {
    const held = heldProbe();
    await using t = await testCatalog({ store, probe: held.probe });
    const lost = t.register('iris', 'v1', 'abc');
    await until(() => held.started.length > 0, 'the probe runs');
    await t.catalog.maintain();
    assert.equal((await t.catalog.version('iris', 'v1')).state, 'validating');
    await expire(store);
    await t.catalog.maintain();
    const { state, reason } = await t.catalog.version('iris', 'v1');
    assert.equal(state, 'rejected');
    assert.match(reason!, /has stopped; register it again/);
    // It was only slow: what it reports now is not believed.
    held.go();
    await rejects(lost, 'CONFLICT', /was given up/);
    assert.equal((await t.catalog.version('iris', 'v1')).state, 'rejected');
  });

  test('leaves no files when the lease runs out while they are stored', async () => {
    await using t = await testCatalog({ store });
    const { artifacts } = t.parts;
    const late = {
      has: (digest: string) => artifacts.has(digest),
      delete: (digest: string) => artifacts.delete(digest),
      async put(artifact: LocalArtifact) {
        await expire(store);
        await t.catalog.maintain();
        await artifacts.put(artifact);
      },
    };
    await using slow = await testCatalog({ store, artifacts: late as never });
    await rejects(slow.register('iris', 'v1', 'abc'), 'CONFLICT', /was given up/);
    const { digest } = await hashArtifact(slow.files('abc'));
    assert.equal(await artifacts.has(digest), true);
    await slow.catalog.maintain();
    assert.equal(await artifacts.has(digest), false);
  });

  test('leaves a name that can be registered at once when the lease has run out', async () => {
    const held = heldProbe();
    await using dead = await testCatalog({ store, probe: held.probe });
    const lost = dead.register('iris', 'v1', 'abc');
    await until(() => held.started.length > 0, 'the probe runs');
    await using t = await testCatalog({ store });
    await rejects(t.register('iris', 'v1', 'abd'), 'CONFLICT', /another content/);
    await expire(store);
    const { version } = await t.register('iris', 'v1', 'abd');
    assert.equal(version.state, 'ready');
    held.go();
    await rejects(lost, 'CONFLICT', /was given up/);
    assert.deepEqual(await t.catalog.version('iris', 'v1'), version);
  });
});
