/** @module The default models of tasks on texts, and what requests for them that cannot be served say. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ServeError, type TaskName } from '../../../runtime/index.ts';
import { ModelVersion, type VersionMedia } from '../../../runtime/model.ts';
import { DEFAULT_SETTINGS } from '../../../runtime/repository/index.ts';
import type { DefaultNames } from '../../../runtime/routing/default-model.ts';
import { RouteTable } from '../../../runtime/routing/route-table.ts';
import { ServedModel } from '../../../runtime/served-model.ts';
import type { TextModel, TextTaskName } from '../../../runtime/text/index.ts';
import { PuppetModel, puppetClassifier } from '../../support/puppet-engine.ts';

const EMBEDS: readonly TaskName[] = ['feature-extraction'];
const RERANKS: readonly TaskName[] = ['rerank', 'feature-extraction'];
const CLASSIFIES: readonly TaskName[] = ['text-classification'];
const PREDICTS: readonly TaskName[] = ['classification', 'regression', 'raw'];
const EQUAL = { weights: {}, labels: {} };

/** A version with a task on texts, or without one. */
function versionOf(
  model: string,
  version: string,
  task: TextTaskName | undefined,
  readable = true,
) {
  const native = new PuppetModel(puppetClassifier(), { path: 'model.onnx' });
  const source = {
    ...{
      model,
      version,
      path: '',
      folder: '',
      bytes: undefined,
      config: {},
      settings: DEFAULT_SETTINGS,
    },
    ...{ text: undefined, image: undefined, generator: undefined, device: 'cpu', engineCache: '' },
    ...{ batchSize: undefined, maxTokens: undefined },
  };
  const text: VersionMedia | undefined = task && {
    task,
    text: readable ? ({ task, labels: [] } as unknown as TextModel) : undefined,
    obstacle: readable ? undefined : 'There is no tokenizer.json',
    example: undefined,
  };
  return new ModelVersion(source, native, text);
}

interface Given {
  readonly task?: TextTaskName;
  readonly isDefault?: boolean;
  /** Why its version could not be loaded. */
  readonly failed?: string;
  readonly readable?: boolean;
}

function table(models: Readonly<Record<string, Given>>, names: Partial<DefaultNames> = {}) {
  const routes = new RouteTable(() => 0.5, { model: undefined, transformer: undefined, ...names });
  for (const [name, { task, isDefault = false, failed, readable }] of Object.entries(models)) {
    const loaded =
      failed === undefined
        ? versionOf(name, '1', task, readable)
        : new ServeError('MODEL_NOT_READY', failed);
    const facts = { name, isDefault, nullIsNaN: false, task };
    routes.set(new ServedModel(facts, new Map([['1', loaded]])), EQUAL);
  }
  return {
    routes,
    chosen: (tasks: readonly TaskName[], model?: string) => {
      const choice = routes.resolve({ model, version: undefined, tasks });
      return choice instanceof ModelVersion ? choice.model : choice.model;
    },
  };
}

const embeds = { task: 'feature-extraction' } as const;
const classifies = { task: 'text-classification' } as const;

describe('the default model of a task on texts', () => {
  test('is the only one, whatever else is served', () => {
    const { chosen } = table({ a: embeds, b: classifies, iris: {} });
    assert.equal(chosen(EMBEDS), 'a');
    assert.equal(chosen(CLASSIFIES), 'b');
  });

  test('is the one whose model.json says so, then that of TRANSFORMER_MODEL, then that of DEFAULT_MODEL', () => {
    const two = { a: embeds, b: embeds };
    const names = { transformer: 'b', model: 'a' };
    assert.equal(table({ ...two, c: { ...embeds, isDefault: true } }, names).chosen(EMBEDS), 'c');
    assert.equal(table(two, names).chosen(EMBEDS), 'b');
    assert.equal(table(two, { model: 'a' }).chosen(EMBEDS), 'a');
  });

  test('is not the one that a setting names if that has another task', () => {
    const { chosen } = table({ a: embeds, b: classifies }, { transformer: 'b' });
    assert.equal(chosen(EMBEDS), 'a');
  });

  test('is the default of its task, although another task has a default, too', () => {
    const models = { a: { ...embeds, isDefault: true }, b: { ...classifies, isDefault: true } };
    const { chosen } = table(models);
    assert.deepEqual([chosen(EMBEDS), chosen(CLASSIFIES)], ['a', 'b']);
  });

  test('has the first task that any model has', () => {
    const cross = { task: 'rerank' } as const;
    assert.equal(table({ a: embeds, b: cross }).chosen(RERANKS), 'b');
    assert.equal(table({ a: embeds, c: classifies }).chosen(RERANKS), 'a');
  });

  for (const [what, models, names, message] of [
    [
      'several models without a default',
      { a: embeds, b: embeds },
      {},
      `Several models are for feature-extraction, and none of them is the default; write one of 'a', 'b' in the field 'model', or "default": true in the model.json of one.`,
    ],
    [
      'several defaults',
      { a: { ...embeds, isDefault: true }, b: { ...embeds, isDefault: true }, c: embeds },
      { transformer: 'c' },
      `Several models are for feature-extraction, and several of them are the default; write one of 'a', 'b', 'c' in the field 'model', or "default": true in the model.json of one.`,
    ],
    [
      'no model of the task',
      { b: classifies, iris: {} },
      {},
      'There is no model for feature-extraction; put a folder of one from Hugging Face into the repository.',
    ],
    [
      'no model at all',
      {},
      {},
      'There is no model for feature-extraction; put a folder of one from Hugging Face into the repository.',
    ],
  ] as const) {
    test(`${what}: 404 with what would do`, () => {
      const { chosen } = table(models, names);
      assert.throws(() => chosen(EMBEDS), { code: 'MODEL_NOT_FOUND', message });
      assert.throws(() => chosen(EMBEDS), { code: 'MODEL_NOT_FOUND', message }, 'again');
    });
  }

  test('changes as models come and go', () => {
    const { routes, chosen } = table({ a: embeds, b: embeds });
    assert.throws(() => chosen(EMBEDS), ServeError);
    routes.delete('a');
    assert.equal(chosen(EMBEDS), 'b');
  });

  test('is one that works, before one that does not', () => {
    for (const broken of [{ failed: 'There is no memory' }, { readable: false }]) {
      const { chosen } = table({ a: { ...embeds, ...broken }, b: embeds });
      assert.equal(chosen(EMBEDS), 'b');
    }
  });
});

describe('a model that does not work', () => {
  test('is 503 with the reason why it could not be loaded', () => {
    const { chosen } = table({ a: { ...embeds, failed: 'There is no memory' } });
    for (const model of ['a', undefined]) {
      assert.throws(() => chosen(EMBEDS, model), {
        code: 'MODEL_NOT_READY',
        message: "Version '1' of model 'a' could not be loaded: There is no memory.",
      });
    }
  });

  test('has the reason also for a version or a label that is named', () => {
    const { routes } = table({ a: { ...embeds, failed: 'There is no memory' } });
    routes.change('a', { weights: {}, labels: { stable: '1' } });
    for (const version of ['1', 'stable']) {
      assert.throws(() => routes.resolve({ model: 'a', version, tasks: EMBEDS }), {
        message: /^Version '1' of model 'a' could not be loaded: There is no memory\.$/,
      });
    }
    assert.throws(() => routes.resolve({ model: 'a', version: '2', tasks: EMBEDS }), {
      code: 'VERSION_NOT_FOUND',
    });
  });

  test('is 503 with what to do if it cannot read texts', () => {
    const { chosen } = table({ a: { ...embeds, readable: false } });
    for (const model of ['a', undefined]) {
      assert.throws(() => chosen(EMBEDS, model), {
        code: 'MODEL_NOT_READY',
        message: "Model 'a' cannot read texts. There is no tokenizer.json.",
      });
    }
  });
});

describe('a model of another task', () => {
  const { chosen, routes } = table({ a: embeds, b: classifies, iris: {} });
  const version = undefined;

  for (const [what, model, tasks, message] of [
    [
      'for texts',
      'b',
      EMBEDS,
      "Model 'b' does text-classification, but the request needs feature-extraction; name one of 'a'.",
    ],
    [
      'for rows',
      'iris',
      CLASSIFIES,
      "Model 'iris' does raw, but the request needs text-classification; name one of 'b'.",
    ],
    [
      'for texts, where rows are sent',
      'a',
      PREDICTS,
      "Model 'a' does feature-extraction, but the request needs classification or regression or raw; name one of 'iris'.",
    ],
    [
      'of which there is none',
      'a',
      ['token-classification'],
      "Model 'a' does feature-extraction, but the request needs token-classification; no model that is served does.",
    ],
  ] as const) {
    test(`${what} is 400 with both tasks`, () => {
      assert.throws(() => chosen(tasks, model), { code: 'WRONG_TASK', message });
    });
  }

  test('is served to requests that need no task', () => {
    for (const model of ['a', 'b', 'iris']) {
      assert.equal((routes.resolve({ model, version }) as ModelVersion).model, model);
    }
  });

  test('is refused in each arm of a split, unless the arm cannot respond at all', () => {
    const split = table({ a: embeds });
    const facts = { name: 'a', isDefault: false, nullIsNaN: false, task: embeds.task };
    const versions = new Map<string, ModelVersion | ServeError>([
      ['1', versionOf('a', '1', 'text-classification')],
      ['2', new ServeError('MODEL_NOT_READY', 'There is no memory')],
    ]);
    const weights = { '1': 1, '2': 0.001 };
    split.routes.set(new ServedModel(facts, versions), { weights, labels: {} });
    assert.throws(() => split.chosen(EMBEDS, 'a'), { code: 'WRONG_TASK' });
    split.routes.set(new ServedModel(facts, versions), {
      weights: { '2': 1, '1': 0.001 },
      labels: {},
    });
    const arm = split.routes.resolve({ model: 'a', version, tasks: EMBEDS });
    assert.throws(() => arm.hold(), { code: 'MODEL_NOT_READY' }, 'a failure of the arm');
  });
});
