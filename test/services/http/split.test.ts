/** @module The traffic split of `/predict`: which version gets a request, and what responses and observers learn of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Access } from '../../../runtime/index.ts';
import type { Comparison, Observation } from '../../../runtime/routing/observer.ts';
import type { TrafficRoute } from '../../../runtime/routing/route.ts';
import { createServiceApp } from '../../../services/http/create-service-app.ts';
import { prediction } from '../../../services/prediction/index.ts';
import { sumOf } from '../../support/metrics.ts';
import { puppetClassifier } from '../../support/puppet-engine.ts';
import { type TestService, type TestServiceOptions, testService } from '../../support/service.ts';

const features = [5.1, 3.5, 1.4, 0.2];
const half = { 'v1.0': 1, 'v2.0': 1 };

interface Split extends Disposable {
  readonly service: TestService;
  readonly observed: Observation[];
  readonly compared: Comparison[];
  draws(): number;
}

/** A service whose model `iris` has the route; random numbers are 0.25 and 0.75 in turn. */
async function split(route: TrafficRoute, options: TestServiceOptions = {}): Promise<Split> {
  const observed: Observation[] = [];
  const compared: Comparison[] = [];
  let draws = 0;
  const service = await testService({
    random: () => {
      draws += 1;
      return draws % 2 === 1 ? 0.25 : 0.75;
    },
    observer: {
      observe: (observation) => void observed.push(observation),
      compared: (comparison) => void compared.push(comparison),
    },
    ...options,
  });
  service.runtime.routes.change('iris', { ...route, labels: { best: 'v2.0' } });
  return {
    ...{ service, observed, compared },
    draws: () => draws,
    [Symbol.dispose]: () => service[Symbol.dispose](),
  };
}

/** Sends a request. @returns the version in header and body, which must be the same. */
async function versionOf(
  { service }: Split,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<string> {
  const response = await service.predict({ features, ...body }, headers);
  const json = (await response.json()) as { model_version: string };
  assert.equal(response.status, 200, JSON.stringify(json));
  assert.equal(response.headers.get('x-model-version'), json.model_version);
  return json.model_version;
}

const users = Array.from({ length: 64 }, (_, i) => `user-${i}`);

describe('a sticky split', () => {
  test('by a header gives a subject the same version always, in every instance and for every share that rises', async () => {
    const route = { weights: half, sticky: { header: 'x-user-id' } };
    using one = await split(route);
    using other = await split(route);
    const first = new Map<string, string>();
    for (const user of users) first.set(user, await versionOf(one, {}, { 'X-User-Id': user }));
    assert.deepEqual([...new Set(first.values())].toSorted(), ['v1.0', 'v2.0']);
    for (const made of [one, other]) {
      for (const user of users) {
        assert.equal(await versionOf(made, {}, { 'X-User-Id': user }), first.get(user));
      }
    }
    assert.equal(one.draws(), 0);
    const raised = { 'v1.0': 1, 'v2.0': 3 };
    other.service.runtime.routes.change('iris', { ...route, weights: raised, labels: {} });
    for (const user of users) {
      const now = await versionOf(other, {}, { 'X-User-Id': user });
      assert.ok(now === first.get(user) || now === 'v2.0', `${user} moved to ${now}`);
    }
  });

  test('gives requests without the key a version at random', async () => {
    using made = await split({ weights: half, sticky: { header: 'X-User-Id' } });
    const versions = [await versionOf(made), await versionOf(made, {}, { 'X-User-Id': '' })];
    assert.deepEqual(versions, ['v1.0', 'v2.0']);
    assert.equal(made.draws(), 2);
  });

  test('by a field takes the key from anywhere in the body, which may have that member besides its own', async () => {
    for (const [field, bodyOf] of [
      ['/user', (user: string) => ({ user })],
      ['/user', (user: string) => ({ user: Number(user.slice(5)) })],
      ['/user/id', (user: string) => ({ user: { id: user, name: 'x' } })],
      ['/a~1b/~0/1', (user: string) => ({ 'a/b': { '~': [null, user] } })],
      ['/features/0', (user: string) => ({ features: [Number(user.slice(5)), 1, 1, 1] })],
    ] as const) {
      using made = await split({ weights: half, sticky: { field } });
      const versions = new Set<string>();
      for (const user of users) {
        const version = await versionOf(made, bodyOf(user));
        assert.equal(await versionOf(made, bodyOf(user)), version, field);
        versions.add(version);
      }
      assert.equal(versions.size, 2, field);
      assert.equal(made.draws(), 0, field);
    }
  });

  test('by a field does not permit other members, nor values that a request may not have', async () => {
    using made = await split({ weights: half, sticky: { field: '/user/id' } });
    const { service } = made;
    for (const body of [
      { features, user: { id: 'a' }, account: 1 },
      { features, user: 'a', model: 1 },
      { user: { id: 'a' } },
    ]) {
      assert.equal((await service.predict(body)).status, 400, JSON.stringify(body));
    }
    service.runtime.routes.change('iris', { weights: half, labels: {} });
    const { status } = await service.predict({ features, user: { id: 'a' } });
    assert.equal(status, 400, 'no route reads the member any more');
  });

  test('does not take a list, an object or null for a key', async () => {
    using made = await split({ weights: half, sticky: { field: '/user' } });
    for (const user of [null, {}, ['a'], '']) await versionOf(made, { user });
    assert.equal(made.draws(), 4);
  });

  test('by a claim takes the key from the credentials, and `sub` is the subject', async () => {
    for (const claim of ['sub', 'account']) {
      using made = await split({ weights: half, sticky: { claim } });
      const access: Access = {
        authenticate(headers) {
          const name = headers.get('x-test') ?? undefined;
          return { subject: claim === 'sub' ? name : 'same', claims: { account: name } };
        },
      };
      const app = createServiceApp({ ...made.service.runtime, access }, prediction);
      const versions = new Map<string, Set<string>>();
      for (const user of [...users, ...users]) {
        const response = await app.request('/predict', {
          method: 'POST',
          body: JSON.stringify({ features }),
          headers: { 'Content-Type': 'application/json', 'X-Test': user },
        });
        const found = versions.get(user) ?? new Set();
        versions.set(user, found.add(response.headers.get('x-model-version')!));
      }
      assert.ok([...versions.values()].every((found) => found.size === 1));
      assert.equal(new Set([...versions.values()].map(([version]) => version)).size, 2);
      assert.equal(made.draws(), 0);
    }
  });
});

describe('a request that names its version', () => {
  test('is not split, whether it names a version or a label', async () => {
    using made = await split({ weights: half, sticky: { header: 'X-User-Id' } });
    for (const [model_version, version] of [
      ['v1.0', 'v1.0'],
      ['v2.0', 'v2.0'],
      ['best', 'v2.0'],
    ]) {
      const body = { features, model_version };
      const response = await made.service.predict(body, { 'X-User-Id': 'user-1' });
      assert.equal(((await response.json()) as { model_version: string }).model_version, version);
      assert.equal(response.headers.get('x-model-version'), null);
    }
    assert.equal(made.draws(), 0);
    assert.deepEqual(made.observed, []);
  });

  test('and those to a model with one version, are not observed', async () => {
    using made = await split({ weights: { 'v1.0': 1 } });
    const response = await made.service.predict({ features });
    assert.equal(response.headers.get('x-model-version'), null);
    assert.deepEqual(made.observed, []);
  });
});

describe('observations', () => {
  test('have the arm, the version, the prediction and the time of the request', async () => {
    let now = 1000;
    const clock = {
      now: () => {
        now += 5;
        return now;
      },
    };
    using made = await split({ weights: half, period: 7 }, { clock });
    const response = await made.service.predict({ features }, { 'X-Request-Id': 'my-request' });
    assert.equal(response.status, 200);
    assert.deepEqual(made.observed, [
      {
        model: 'iris',
        requestId: 'my-request',
        arm: 'v1.0',
        version: 'v1.0',
        period: 7,
        latencyMs: 5,
        failed: false,
        confidence: 0.97,
        prediction: 'setosa',
      },
    ]);
    await made.service.predict({ features: [features, features] });
    const { prediction: many, confidence, version } = made.observed[1]!;
    assert.deepEqual([many, confidence, version], [['setosa', 'versicolor'], 0.97, 'v2.0']);
  });

  test('name the arms of a canary `canary` and `stable`', async () => {
    const canary = { version: 'v2.0', steps: [1], bake_seconds: 1, min_requests: 1, guards: {} };
    using made = await split({ weights: half, canary });
    await versionOf(made);
    await versionOf(made);
    using only = await split({ weights: { 'v1.0': 1, 'v2.0': 0 }, canary });
    await versionOf(only);
    const arms = [...made.observed, ...only.observed].map(({ arm, version }) => [arm, version]);
    assert.deepEqual(arms, [
      ['stable', 'v1.0'],
      ['canary', 'v2.0'],
      ['stable', 'v1.0'],
    ]);
  });

  test('of a failed run say so, and its response names the version', async () => {
    const broken = { ...puppetClassifier() };
    const engine = (name: string) => (name === 'iris:v2.0' ? broken : puppetClassifier());
    using made = await split({ weights: half }, { engine });
    broken.run = () => {
      throw new Error('out of memory');
    };
    await versionOf(made);
    const response = await made.service.predict({ features });
    assert.equal(response.status, 500);
    assert.equal(response.headers.get('x-model-version'), 'v2.0');
    assert.deepEqual(
      made.observed.map(({ version, failed, prediction }) => [version, failed, prediction]),
      [
        ['v1.0', false, 'setosa'],
        ['v2.0', true, undefined],
      ],
    );
    const page = await made.service.runtime.metrics.render();
    const count = (labels: Record<string, string>) =>
      sumOf(page, 'millrace_arm_request_duration_seconds_count', labels);
    assert.equal(count({ model: 'iris', version: 'v1.0', arm: 'v1.0', outcome: 'ok' }), 1);
    assert.equal(count({ arm: 'v2.0', outcome: 'failed' }), 1);
    assert.equal(count({}), 2);
  });

  test('leave out mistakes of the client, whose responses still name the version', async () => {
    using made = await split({ weights: half });
    for (const body of [{ features: [1, 2] }, { features: ['a', 1, 1, 1] }]) {
      const response = await made.service.predict(body);
      assert.equal(response.status, 400);
      assert.match(response.headers.get('x-model-version')!, /^v[12]\.0$/);
    }
    assert.deepEqual(made.observed, []);
    const unknown = await made.service.predict({ features, model_version: 'v9.0' });
    assert.equal(unknown.headers.get('x-model-version'), null);
  });

  test('of a version that could not be loaded have failed: its share does not go elsewhere', async () => {
    const engine = (name: string) => {
      if (name === 'iris:v2.0') throw new Error('It is broken');
      return puppetClassifier();
    };
    using made = await split({ weights: half }, { engine });
    await versionOf(made);
    const response = await made.service.predict({ features });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('x-model-version'), 'v2.0');
    assert.deepEqual(
      made.observed.map(({ failed }) => failed),
      [false, true],
    );
  });

  test('a version that the model does not have gets nothing', async () => {
    using made = await split({ weights: { ...half, 'v9.0': 1000 } });
    assert.deepEqual([await versionOf(made), await versionOf(made)], ['v1.0', 'v2.0']);
  });
});

test('a version whose name no header can have is percent-encoded', async () => {
  const models = { iris: { versions: { 'v1.0': '', 'ä b': '' } } };
  using made = await split({ weights: { 'ä b': 1, 'v1.0': 0.001 } }, { models });
  for (const body of [{ features }, { features: [1] }]) {
    const response = await made.service.predict(body);
    assert.equal(response.headers.get('x-model-version'), '%C3%A4%20b');
  }
});
