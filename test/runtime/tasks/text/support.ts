/** @module Operations on texts with models of fixed weights, on the real engine. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openEngine } from '../../../../native/index.ts';
import { loadVersion } from '../../../../runtime/load-version.ts';
import { type ModelVersion, withPool } from '../../../../runtime/model.ts';
import { Repository } from '../../../../runtime/repository/index.ts';
import type { TextOperation } from '../../../../runtime/tasks/text/operation.ts';
import type { TextModel } from '../../../../runtime/text/text-model.ts';
import { versionSource } from '../../../../runtime/version-source.ts';
import { loading } from '../../../support/loading.ts';

export const FIXTURES = 'test/fixtures/text';
const SETTINGS = { device: 'cpu', engineCache: '', batchSize: undefined };

export interface Models extends AsyncDisposable {
  model(name: string): TextModel;
  /** Does something with texts, as a route does. */
  ask<Input, Context, Output>(
    operation: TextOperation<Input, Context, Output>,
    name: string,
    input: Input,
  ): Promise<Output>;
}

/** Loads models of the fixtures. The caller declares them with `await using`, or disposes of them. */
export async function openModels(names: readonly string[]): Promise<Models> {
  const engine = openEngine();
  const opened = loading(engine);
  const { models } = await (await Repository.open(FIXTURES)).scan();
  const versions = new Map<string, ModelVersion>();
  for (const folder of models.filter(({ name }) => names.includes(name))) {
    const source = await versionSource(folder, folder.versions[0]!, SETTINGS);
    versions.set(folder.name, await loadVersion(opened, source));
  }
  return {
    model: (name) => versions.get(name)!.text!,
    async ask(operation, name, input) {
      const version = versions.get(name)!;
      const { runs, outputs, pooling, context } = await operation.prepare(version.text!, input);
      const results = await Promise.all(
        runs.map((inputs, run) => version.run(inputs, withPool({ outputs }, pooling?.[run]))),
      );
      return operation.answer(version.text!, results, context);
    },
    async [Symbol.asyncDispose]() {
      for (const version of versions.values()) await version.close();
      await opened.tokenizers.close();
      await engine.close();
    },
  };
}

/** What transformers or sentence-transformers has made of the texts. */
export const referenceOf = <Reference>(name: string): Reference =>
  JSON.parse(readFileSync(path.join(FIXTURES, name, 'reference.json'), 'utf8'));

/** Texts as those of a request. */
export const textsOf = (texts: readonly string[]) => ({
  texts,
  placeOf: (index: number) => `texts[${index}]`,
});

export function assertNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  about = '',
): void {
  assert.equal(actual.length, expected.length, about);
  for (let i = 0; i < actual.length; i += 1) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    assert.ok(difference <= tolerance, `${about}[${i}]: ${actual[i]} is not ${expected[i]}`);
  }
}

/** Rejects with that code and a message that matches. */
export const refused = (code: string, message: RegExp) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code);
  assert.match(String(error), message);
  return true;
};
