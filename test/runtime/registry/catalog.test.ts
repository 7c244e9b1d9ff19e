/** @module Registered versions are served beside those of the repository, and replaced while requests run. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { MillraceError } from '../../../native/errors.ts';
import { ChangeSequencer, createMember } from '../../../runtime/bus.ts';
import type { CatalogModel, CatalogSnapshot } from '../../../runtime/catalog/index.ts';
import { type Config, createLog } from '../../../runtime/index.ts';
import { Registry } from '../../../runtime/registry/index.ts';
import { type Files, temporaryFiles } from '../../support/files.ts';
import { loading } from '../../support/loading.ts';
import { PuppetEngine, puppetClassifier } from '../../support/puppet-engine.ts';
import { testConfig } from '../../support/service.ts';

const IN_REPOSITORY: Files = { 'models/iris/v1.0/model.onnx': '' };

interface Missing {
  readonly failure: string;
  readonly of?: string;
}

type Given = Partial<Omit<CatalogModel, 'versions'>> & {
  /** Versions, each with the folder that holds it, or with why the files `of` that folder cannot be had. */
  readonly versions?: Readonly<Record<string, string | Missing>>;
};

/** A registry that follows a catalog of folders in `artifacts/`. Models whose names are in `broken` cannot be loaded. */
async function open(files: Files = IN_REPOSITORY, settings: Partial<Config> = {}) {
  const folder = temporaryFiles({
    'models/README.md': '',
    'artifacts/a/model.onnx': '',
    'artifacts/b/model.onnx': '',
    ...files,
  });
  const broken = new Set<string>();
  const engine = new PuppetEngine((name) => {
    if (broken.has(name)) throw new MillraceError('RESOURCE_EXHAUSTED', 'There is no memory');
    return puppetClassifier();
  });
  const lines: Record<string, unknown>[] = [];
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const config = { ...testConfig(path.join(folder.path, 'models')), ...settings };
  const registry = await Registry.open(config, loading(engine), () => 0, log, log, true);
  const bus = new ChangeSequencer([createMember((change) => registry.prepare(change), log)]);
  const snapshot = (models: Readonly<Record<string, Given>>): CatalogSnapshot => ({
    models: Object.entries(models).map(([name, given]) => ({
      name,
      labels: {},
      route: undefined,
      routeSource: undefined,
      ...given,
      versions: Object.entries(given.versions ?? {}).map(([version, what]) => ({
        version,
        digest: `sha256:${typeof what === 'string' ? what : what.of}`,
        config: null,
        signature: null,
        ...(typeof what === 'string'
          ? { path: path.join(folder.path, 'artifacts', what) }
          : { path: '', failure: what.failure }),
      })),
    })),
  });
  return {
    registry,
    bus,
    broken,
    engine,
    lines,
    loads: () => engine.loads.map(({ name }) => name),
    follow: (models: Readonly<Record<string, Given>>) =>
      bus.publish({ kind: 'catalog', snapshot: snapshot(models) }),
    /** The version of a request that names none, or this one. */
    version: (model: string, version?: string) => {
      const chosen = registry.routes.resolve({ model, version }).hold();
      chosen.release();
      return chosen.version;
    },
    states: (name: string) =>
      Object.fromEntries(
        registry
          .status()
          .find((model) => model.name === name)
          ?.versions.map((v) => [v.version, v.state]) ?? [],
      ),
    async [Symbol.asyncDispose]() {
      await registry.close();
      folder[Symbol.dispose]();
    },
  };
}

describe('a registered version', () => {
  test('is served beside those of the repository, oldest first, and listed in the index', async () => {
    await using served = await open();
    await served.follow({
      iris: { versions: { 'v0.9': 'a', 'v2.0': 'b' } },
      other: { versions: { '1': 'a' } },
    });
    assert.deepEqual(Object.keys(served.states('iris')), ['v0.9', 'v1.0', 'v2.0']);
    assert.equal(served.version('iris'), 'v2.0');
    assert.equal(served.version('iris', 'v0.9'), 'v0.9');
    assert.equal(served.version('other'), '1');
    assert.ok(served.registry.complete());
    assert.deepEqual(
      (await served.registry.index()).map(({ name, version, state }) => [name, version, state]),
      [
        ['iris', 'v0.9', 'READY'],
        ['iris', 'v1.0', 'READY'],
        ['iris', 'v2.0', 'READY'],
        ['other', '1', 'READY'],
      ],
    );
  });

  test('is not served any more when the catalog does not have it, and is unloaded', async () => {
    await using served = await open();
    await served.follow({ iris: { versions: { 'v2.0': 'a' } }, other: { versions: { '1': 'a' } } });
    await served.follow({});
    assert.deepEqual(served.states('iris'), { 'v1.0': 'ready' });
    assert.throws(() => served.version('other'), { code: 'MODEL_NOT_FOUND' });
    assert.ok(served.engine.models.get('iris:v2.0')!.closed);
    assert.ok(served.engine.models.get('other:1')!.closed);
    assert.ok(!served.engine.models.get('iris:v1.0')!.closed);
  });

  test('is not served any more when the catalog has none of its model, also if that has no other', async () => {
    await using served = await open({});
    await served.follow({ m: { versions: { '1': 'a' } } });
    await served.follow({ m: {} });
    assert.deepEqual(served.registry.status(), []);
    assert.deepEqual(served.registry.notes(), []);
  });

  test('is unloaded only when the last request to it has ended', async () => {
    await using served = await open({});
    await served.follow({ m: { versions: { '1': 'a' } } });
    const held = served.registry.routes.resolve({ model: 'm', version: '1' }).hold();
    await served.follow({ m: { versions: { '2': 'b' } } });
    assert.equal(served.version('m'), '2');
    const old = served.engine.models.get('m:1')!;
    assert.equal(old.closed, false);
    held.release();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(old.closed, true);
  });

  test('of the same name as one of the repository is not served, and a note says so', async () => {
    await using served = await open();
    await served.follow({ iris: { versions: { 'v1.0': 'a' } } });
    assert.deepEqual(served.registry.notes(), [
      "Version 'v1.0' of model 'iris' is registered and also in the repository, which takes precedence.",
    ]);
    assert.equal(
      served.registry.routes.resolve({ model: 'iris', version: 'v1.0' }).hold(),
      served.registry.loaded()[0],
    );
    assert.match(String(served.engine.loads[0]!.path), /models\/iris\/v1\.0/);
    served.registry.loaded()[0]!.release();
  });

  test('makes a server without models ready, as that waits for registrations', async () => {
    await using served = await open({});
    assert.ok(served.registry.ready());
  });
});

describe('a change of the catalog loads only what has changed', () => {
  test('and nothing for a label or a route', async () => {
    await using served = await open();
    const versions = { 'v2.0': 'a', 'v3.0': 'b' };
    await served.follow({ iris: { versions } });
    const before = served.registry.loaded();
    const count = served.loads().length;
    await served.follow({ iris: { versions, labels: { stable: 'v1.0', canary: 'v3.0' } } });
    assert.equal(served.version('iris'), 'v1.0', 'stable gets the requests if there is no route');
    assert.equal(served.version('iris', 'canary'), 'v3.0');
    await served.follow({
      iris: {
        versions,
        labels: { stable: 'v1.0' },
        route: { weights: { 'v2.0': 1 } },
        routeSource: 'database',
      },
    });
    assert.equal(served.version('iris'), 'v2.0');
    assert.equal(served.loads().length, count);
    assert.deepEqual(served.registry.loaded(), before);
  });

  test('and a version again if its artifact is another one', async () => {
    await using served = await open({});
    await served.follow({ m: { versions: { '1': 'a', '2': 'a' } } });
    await served.follow({ m: { versions: { '1': 'b', '2': 'a' } } });
    assert.deepEqual(served.loads(), ['m:1', 'm:2', 'm:1']);
  });

  test('and the label stable wins over the traffic that model.json declares', async () => {
    await using served = await open({
      'models/iris/v1.0/model.onnx': '',
      'models/iris/v2.0/model.onnx': '',
      'models/iris/model.json': '{"traffic": {"v2.0": 1}, "version_labels": {"old": "v1.0"}}',
    });
    await served.follow({ iris: { labels: {} } });
    assert.equal(served.version('iris'), 'v2.0');
    await served.follow({ iris: { labels: { stable: 'v1.0' } } });
    assert.equal(served.version('iris'), 'v1.0');
    assert.equal(served.version('iris', 'old'), 'v1.0');
  });
});

describe('a version that cannot be loaded', () => {
  test('does not affect the others, and the status has the reason', async () => {
    await using served = await open();
    served.broken.add('iris:v2.0');
    await served.follow({
      iris: {
        versions: { 'v2.0': 'a', 'v3.0': { failure: 'It is not signed.' }, 'v4.0': 'nowhere' },
      },
    });
    const [iris] = served.registry.status();
    assert.deepEqual(
      iris!.versions.map(({ version, state }) => [version, state]),
      [
        ['v1.0', 'ready'],
        ['v2.0', 'failed'],
        ['v3.0', 'failed'],
        ['v4.0', 'failed'],
      ],
    );
    const reasons = iris!.versions.map(({ reason }) => reason);
    assert.match(reasons[1]!, /There is no memory/);
    assert.equal(reasons[2], 'It is not signed.');
    assert.match(reasons[3]!, /The artifact is not a model/);
    assert.equal(served.version('iris'), 'v1.0');
    assert.ok(served.registry.complete(), 'no request needs it');
  });

  test('leaves the old version serving if the new route needs it, also if that is not in the catalog any more', async () => {
    await using served = await open({});
    const stable = (version: string) => ({ labels: { stable: version } });
    await served.follow({ m: { versions: { '1': 'a' }, ...stable('1') } });
    served.broken.add('m:2');
    await served.follow({ m: { versions: { '2': 'b' }, ...stable('2') } });
    assert.equal(served.version('m'), '1');
    assert.equal(served.version('m', 'stable'), '1');
    assert.deepEqual(served.states('m'), { '1': 'ready', '2': 'failed' });
    assert.deepEqual(served.registry.notes(), [
      "The latest route of model 'm' is not in effect: it sends requests to version '2', which could not be loaded: There is no memory.",
    ]);
    assert.ok(served.registry.complete());
    served.broken.clear();
    await served.bus.publish({ kind: 'load', name: 'm', override: undefined });
    assert.equal(served.version('m'), '2');
    assert.deepEqual(served.states('m'), { '2': 'ready' });
    assert.deepEqual(served.registry.notes(), []);
    assert.ok(served.engine.models.get('m:1')!.closed);
  });

  test('is not tried again by a change of something else', async () => {
    await using served = await open();
    served.broken.add('iris:v2.0');
    await served.follow({ iris: { versions: { 'v2.0': 'a' } } });
    await served.follow({ iris: { versions: { 'v2.0': 'a' }, labels: { old: 'v1.0' } } });
    assert.deepEqual(
      served.loads().filter((name) => name === 'iris:v2.0'),
      ['iris:v2.0'],
    );
  });

  test('that a load request asks for again answers with the reason', async () => {
    await using served = await open({});
    served.broken.add('m:1');
    await served.follow({ m: { versions: { '1': 'a' } } });
    const load = served.bus.publish({ kind: 'load', name: 'm', override: undefined });
    await assert.rejects(load, { code: 'MODEL_NOT_READY', message: 'There is no memory.' });
    assert.ok(!served.registry.complete(), 'no version can respond');
  });

  test('keeps what is loaded when its files are gone later', async () => {
    await using served = await open({});
    await served.follow({ m: { versions: { '1': 'a' } } });
    const gone = { failure: 'The store cannot be reached.', of: 'a' };
    await served.follow({ m: { versions: { '1': gone } } });
    assert.equal(served.version('m'), '1');
  });
});

describe('loads and unloads of clients', () => {
  const explicit: Partial<Config> = { modelControlMode: 'explicit', loadModels: ['*'] };

  test('concern the versions of the repository only', async () => {
    await using served = await open(IN_REPOSITORY, explicit);
    await served.follow({ iris: { versions: { 'v2.0': 'a' } } });
    await served.bus.publish({ kind: 'unload', name: 'iris' });
    assert.deepEqual(served.states('iris'), { 'v2.0': 'ready' });
    await assert.rejects(served.bus.publish({ kind: 'unload', name: 'iris' }), {
      code: 'CONFLICT',
      message: /registered; archive them/,
    });
    await served.bus.publish({ kind: 'load', name: 'iris', override: undefined });
    assert.deepEqual(served.states('iris'), { 'v1.0': 'ready', 'v2.0': 'ready' });
  });

  test('keep labels and routes of the catalog for a model that is loaded again', async () => {
    await using served = await open(IN_REPOSITORY, explicit);
    await served.follow({ iris: { labels: { stable: 'v1.0' } } });
    await served.bus.publish({ kind: 'unload', name: 'iris' });
    assert.deepEqual(served.registry.status(), []);
    await served.bus.publish({ kind: 'load', name: 'iris', override: undefined });
    assert.equal(served.version('iris', 'stable'), 'v1.0');
  });
});

test('the repository tells the catalog its models and versions', async () => {
  await using served = await open({ ...IN_REPOSITORY, 'models/iris/v2.0/model.onnx': '' });
  await served.follow({ iris: { versions: { 'v3.0': 'a' } }, other: { versions: { '1': 'a' } } });
  const models = served.registry.repositoryModels();
  assert.deepEqual(models.names(), ['iris']);
  assert.deepEqual(models.versions('iris'), ['v1.0', 'v2.0']);
  assert.equal(models.versions('other'), undefined);
});
