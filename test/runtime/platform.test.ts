/** @module What is registered and changed in the catalog is served by a runtime, at once for the client that changed it. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hashArtifact } from '../../runtime/artifacts/index.ts';
import { ChangeSequencer } from '../../runtime/bus.ts';
import {
  type Config,
  createLog,
  createRuntime,
  type Runtime,
  type RuntimeParts,
} from '../../runtime/index.ts';
import { wantsStore } from '../../runtime/platform.ts';
import { temporaryFiles } from '../support/files.ts';
import { PuppetEngine } from '../support/puppet-engine.ts';
import { testConfig } from '../support/service.ts';
import { type TestStore, testStore } from '../support/store.ts';
import { until } from '../support/until.ts';

const files = temporaryFiles({
  'models/iris/v1.0/model.onnx': '',
  'two/model.onnx': 'version two',
  'three/model.onnx': 'version three',
});
let store: TestStore;
before(async () => {
  store = await testStore();
});
after(async () => {
  await store.close();
  files[Symbol.dispose]();
});

const author = { who: 'a test', once: undefined };

/** A thread of a process. Its state folder is that of its process. */
async function open(
  parts: Partial<RuntimeParts> & { readonly process?: string } = {},
  settings: Partial<Config> = {},
) {
  const engine = new PuppetEngine();
  const config = {
    ...testConfig(path.join(files.path, 'models')),
    artifacts: path.join(files.path, 'artifacts'),
    stateDir: path.join(files.path, parts.process ?? 'one'),
    ...settings,
  };
  const runtime = await createRuntime(config, engine, {
    store: Promise.resolve(store),
    probe: async () => ({ inputs: [], outputs: [], costs: [] }),
    log: createLog('silent'),
    ...parts,
  });
  const close = async () => {
    await runtime.drain();
    await runtime.close();
  };
  return { runtime, engine, catalog: runtime.platform!.catalog, [Symbol.asyncDispose]: close };
}

const register = (runtime: Runtime, model: string, version: string, folder: string) =>
  runtime.platform!.catalog.register(
    path.join(files.path, folder),
    { model, version, metadata: {}, config: undefined, signature: undefined },
    'a test',
  );

function served({ routes }: Runtime, model: string, version?: string): string {
  const found = routes.resolve({ model, version }).hold();
  found.release();
  return found.version;
}

describe('a registered version', () => {
  test('is served when its registration is followed, and by a process that starts later', async () => {
    await using one = await open();
    await register(one.runtime, 'iris', 'v2.0', 'two');
    await one.runtime.platform!.followed();
    assert.equal(served(one.runtime, 'iris'), 'v2.0');
    assert.match(one.engine.loads.at(-1)!.path!, /one\/models\/[0-9a-f]{64}\/model\.onnx$/);
    await using two = await open({ process: 'two' });
    assert.equal(served(two.runtime, 'iris'), 'v2.0');
    assert.equal(two.runtime.state(), one.runtime.state());
  });

  test('is served by another process without being asked', async () => {
    await using one = await open();
    await using two = await open({ process: 'two' });
    await register(one.runtime, 'other', '1', 'two');
    await until(
      () => two.runtime.models().some(({ name }) => name === 'other'),
      'the other process serves it',
    );
    await one.catalog.archive('other', '1', true, author, undefined);
    await until(
      () => !two.runtime.models().some(({ name }) => name === 'other'),
      'the other process does not serve it any more',
    );
  });

  test('gets all requests when it is promoted, and none after a rollback; nothing is loaded for it', async () => {
    await using one = await open();
    const { runtime, catalog, engine } = one;
    await catalog.promote('iris', 'v1.0', author, undefined);
    await runtime.platform!.followed();
    assert.equal(served(runtime, 'iris'), 'v1.0');
    const loads = engine.loads.length;
    await catalog.promote('iris', 'v2.0', author, undefined);
    await runtime.platform!.followed();
    assert.deepEqual(
      [served(runtime, 'iris'), served(runtime, 'iris', 'stable')],
      ['v2.0', 'v2.0'],
    );
    await catalog.rollback('iris', author, undefined);
    await runtime.platform!.followed();
    assert.equal(served(runtime, 'iris'), 'v1.0');
    assert.equal(engine.loads.length, loads);
  });

  test('is not served if the version policy leaves it out', async () => {
    await using one = await open();
    const { runtime, catalog } = one;
    await register(runtime, 'many', '1', 'two');
    await register(runtime, 'many', '2', 'three');
    await catalog.setVersionPolicy('many', { latest: 1 }, author, undefined);
    await runtime.platform!.followed();
    const versions = () =>
      runtime.routes
        .get('many')!
        .loaded()
        .map(({ version }) => version);
    assert.deepEqual(versions(), ['2']);
    await catalog.setVersionPolicy('many', { specific: ['1'] }, author, undefined);
    await runtime.platform!.followed();
    assert.deepEqual(versions(), ['1']);
    await catalog.setVersionPolicy('many', 'all', author, undefined);
    await runtime.platform!.followed();
    assert.deepEqual(versions(), ['1', '2']);
  });

  test('whose artifact is lost is listed with the reason, and served when it is there again', async () => {
    await using one = await open();
    await register(one.runtime, 'lost', '1', 'three');
    rmSync(path.join(files.path, 'artifacts/sha256'), { recursive: true });
    await using two = await open({ process: 'three' });
    const state = () => two.runtime.models().find(({ name }) => name === 'lost')!.versions[0]!;
    assert.deepEqual(state(), {
      ...{ version: '1', state: 'failed', reason: 'The artifact is not in the store.' },
    });
    assert.ok(two.runtime.ready());
    const local = await hashArtifact(path.join(files.path, 'three'));
    await two.runtime.platform!.artifacts.put(local);
    await until(() => state().state === 'ready', 'it is served');
  });
});

test('a version that is not signed is not loaded where signatures are required', async () => {
  await using one = await open();
  await register(one.runtime, 'unsigned', '1', 'two');
  await one.runtime.platform!.followed();
  assert.equal(one.runtime.whyNotServed('unsigned', '1'), undefined);
  await using two = await open({ process: 'four' }, { signaturePolicy: 'require' });
  assert.equal(two.runtime.whyNotServed('unsigned', '1'), 'The model is not signed.');
  assert.ok(!two.engine.models.has('unsigned:1'));
});

test('DEFAULT_MODEL may be a registered model, and nothing else', async () => {
  await using one = await open();
  await register(one.runtime, 'chosen', '1', 'two');
  await using two = await open({ process: 'five' }, { defaultModel: 'chosen' });
  assert.equal(two.runtime.routes.defaultModel, 'chosen');
  await assert.rejects(open({ process: 'five' }, { defaultModel: 'nobody' }), {
    code: 'INVALID_CONFIG',
    message: /'nobody'.*write one of 'iris'.*'chosen'/,
  });
});

test('a second thread serves from its start what the first one does, and follows through it', async () => {
  const members: Runtime['member'][] = [];
  const bus = new ChangeSequencer(members);
  await using first = await open({ bus });
  members.push(first.runtime.member);
  await using second = await open({
    bus,
    first: false,
    catalog: first.runtime.catalog,
    follow: () => first.runtime.platform!.followed(),
  });
  members.push(second.runtime.member);
  assert.equal(second.runtime.state(), first.runtime.state());
  await second.catalog.setLabel('iris', 'old', 'v1.0', author, undefined);
  await second.runtime.platform!.followed();
  for (const { runtime } of [first, second]) assert.equal(served(runtime, 'iris', 'old'), 'v1.0');
  assert.equal(second.runtime.state(), first.runtime.state());
  await bus.close();
});

test('a store is opened for a setting or a service that needs it, and for nothing else', () => {
  const table = [{ name: 'gateway', needsStore: true }, { name: 'inference' }] as const;
  const wants = (services: string[], databaseUrl?: string) =>
    wantsStore({ services, databaseUrl }, table);
  assert.equal(wants(['inference']), false);
  assert.equal(wants(['gateway', 'inference']), true);
  assert.equal(wants(['inference'], 'postgres://localhost/x'), true);
});
