import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError } from '../../../runtime/index.ts';
import type { Route, RouteTable } from '../../../runtime/routing/route-table.ts';
import type { TaskName } from '../../../runtime/tasks/index.ts';
import { puppetClassifier } from '../../support/puppet-engine.ts';
import { type TestServiceOptions, testService } from '../../support/service.ts';

const CLASSIFIES: readonly TaskName[] = ['classification'];
const PREDICTS: readonly TaskName[] = ['classification', 'regression', 'raw'];
const any = { model: undefined, version: undefined };
const unnamed = { model: 'm', version: undefined };

/** The route table of a service whose random numbers are `draws`, over and over. */
async function table(options: TestServiceOptions, draws: readonly number[] = [0]) {
  let drawn = 0;
  const random = () => {
    const value = draws[drawn % draws.length]!;
    drawn += 1;
    return value;
  };
  const service = await testService({ ...options, random });
  return {
    routes: service.runtime.routes,
    drawn: () => drawn,
    [Symbol.dispose]: () => service[Symbol.dispose](),
  };
}

const versions = { '1': '', '2': '', '3': '' };
const models = (config: object = {}) => ({ m: { config, versions } });
const resolved = (routes: RouteTable, route?: Route) => {
  if (route !== undefined) routes.change('m', route);
  return routes.resolve(unnamed).version;
};

describe('resolve', () => {
  test('without a traffic split the newest version gets all requests, and no random number is drawn', async () => {
    using made = await table({ models: models() });
    assert.equal(resolved(made.routes), '3');
    assert.equal(made.drawn(), 0);
  });

  test('a traffic split divides the requests by its weights', async () => {
    using made = await table(
      { models: models({ traffic: { '1': 1, '2': 3 } }) },
      [0, 0.2499, 0.25, 0.5, 0.9999],
    );
    const drawn = Array.from({ length: 5 }, () => resolved(made.routes));
    assert.deepEqual(drawn, ['1', '1', '2', '2', '2']);
    assert.equal(made.drawn(), 5);
  });

  test('a version or label that the request names is used without a random number', async () => {
    const config = { traffic: { '1': 1, '2': 1 }, version_labels: { stable: '1', canary: '3' } };
    using made = await table({ models: models(config) });
    const name = (version: string) => made.routes.resolve({ model: 'm', version }).version;
    assert.deepEqual([name('3'), name('stable'), name('canary')], ['3', '1', '3']);
    assert.equal(made.drawn(), 0);
    assert.throws(() => name('9'), {
      code: 'VERSION_NOT_FOUND',
      message: /no version '9'; available: '1', '2', '3', 'stable', 'canary'/,
    });
    for (const name of ['__proto__', 'constructor', '']) {
      assert.throws(() => made.routes.resolve({ model: 'm', version: name }), {
        code: 'VERSION_NOT_FOUND',
      });
    }
  });

  test('a version of weight 0 gets no requests, and weights that are all 0 still select a version', async () => {
    using made = await table({ models: models() }, [0, 0.5, 0.9999]);
    const none = { weights: { '1': 0, '2': 1 }, labels: {} };
    made.routes.change('m', none);
    assert.deepEqual(
      Array.from({ length: 3 }, () => resolved(made.routes)),
      ['2', '2', '2'],
    );
    made.routes.change('m', { weights: { '1': 0, '2': 0 }, labels: {} });
    assert.ok(['1', '2'].includes(resolved(made.routes)));
  });

  test('the error for an unknown model lists the models that are served', async () => {
    using made = await table({ models: models() });
    for (const model of ['x', '__proto__', 'toString']) {
      assert.throws(() => made.routes.resolve({ model, version: undefined }), {
        code: 'MODEL_NOT_FOUND',
        message: /available: 'm'/,
      });
    }
  });

  test('a version that could not be loaded is not ready', async () => {
    const engine = (name: string) => {
      if (name === 'm:3') throw new Error('It is broken');
      return puppetClassifier();
    };
    using made = await table({ models: models({ traffic: { '3': 1 } }), engine });
    assert.throws(() => resolved(made.routes), { code: 'MODEL_NOT_READY' });
    assert.equal(resolved(made.routes, { weights: {}, labels: {} }), '2', 'the newest that works');
    assert.ok(!made.routes.isReady({ model: 'm', version: '3' }));
    assert.ok(made.routes.isReady(unnamed));
  });
});

describe('change', () => {
  test('the next request follows the new route, and no model is loaded again', async () => {
    using service = await testService({ models: models() });
    const { routes } = service.runtime;
    const loads = service.engine.loads.length;
    const first = routes.resolve(unnamed);
    for (const version of ['1', '2', '3', '1']) {
      assert.equal(resolved(routes, { weights: { [version]: 5 }, labels: {} }), version);
    }
    routes.change('m', { weights: {}, labels: { canary: '2' } });
    assert.equal(routes.resolve({ model: 'm', version: 'canary' }).version, '2');
    assert.equal(routes.resolve(unnamed), first, 'the same loaded version');
    assert.equal(service.engine.loads.length, loads);
    assert.throws(() => routes.change('x', { weights: {}, labels: {} }), {
      code: 'MODEL_NOT_FOUND',
    });
  });
});

describe('describe', () => {
  test('returns the version with the largest share, and draws no random number', async () => {
    const config = { traffic: { '1': 1, '2': 5, '3': 5 }, version_labels: { old: '1' } };
    using made = await table({ models: models(config) });
    assert.equal(made.routes.describe(unnamed).version, '2');
    assert.equal(made.routes.describe({ model: 'm', version: 'old' }).version, '1');
    assert.equal(made.drawn(), 0);
  });
});

describe('the default model', () => {
  const classifier = { config: { task: 'classification' }, versions: { '1': '' } };
  const raw = { versions: { '1': '' } };

  test('is the only one that has a task of the route', async () => {
    using made = await table({ models: { a: raw, b: classifier } });
    assert.equal(made.routes.model({ ...any, tasks: CLASSIFIES }).name, 'b');
    assert.throws(() => made.routes.model({ ...any, tasks: PREDICTS }), {
      code: 'INVALID_ARGUMENT',
      message: /The field 'model' is missing; write one of 'a', 'b'/,
    });
  });

  test('is that of DEFAULT_MODEL, else the one whose model.json says so, among the models with the task', async () => {
    const says = { ...classifier, config: { ...classifier.config, default: true } };
    const served = { a: { ...raw, config: { default: true } }, b: says, c: classifier };
    using made = await table({ models: served });
    assert.equal(made.routes.model({ ...any, tasks: CLASSIFIES }).name, 'b');
    assert.equal(made.routes.model(any).name, 'a');
    using named = await table({ models: served, config: { defaultModel: 'c' } });
    assert.equal(named.routes.model({ ...any, tasks: CLASSIFIES }).name, 'c');
    assert.equal(named.routes.model(any).name, 'c');
  });

  test('changes as models are loaded and unloaded', async () => {
    using made = await table({ models: { a: classifier, b: classifier } });
    const { routes } = made;
    const b = routes.get('b')!;
    assert.throws(() => routes.model({ ...any, tasks: CLASSIFIES }), ServeError);
    routes.delete('b');
    assert.equal(routes.model({ ...any, tasks: CLASSIFIES }).name, 'a');
    routes.set(b, { weights: {}, labels: {} });
    assert.throws(() => routes.model({ ...any, tasks: CLASSIFIES }), ServeError);
    routes.delete('a');
    routes.delete('b');
    assert.throws(() => routes.model(any), { code: 'MODEL_NOT_FOUND', message: /holds no model/ });
  });

  test('bodies are parsed with all digits only while a model takes 64-bit integers', async () => {
    const engine = (name: string) => {
      const puppet = puppetClassifier();
      const [spec] = puppet.signature.inputs;
      const wide = { ...puppet.signature, inputs: [{ ...spec!, type: 'int64' as const }] };
      return name.startsWith('wide') ? { ...puppet, signature: wide } : puppet;
    };
    using made = await table({ models: { a: raw, wide: raw }, engine });
    assert.ok(made.routes.takesWideIntegers);
    made.routes.delete('wide');
    assert.ok(!made.routes.takesWideIntegers);
  });
});
