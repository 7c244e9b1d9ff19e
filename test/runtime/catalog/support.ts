/** @module A catalog over a store in memory, whose probe the test decides. */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openArtifacts } from '../../../runtime/artifacts/index.ts';
import {
  Catalog,
  type CatalogParts,
  type EffectiveRoute,
  type ProbeResult,
  type Registration,
  type TrafficRoutes,
} from '../../../runtime/catalog/index.ts';
import type { ServeError } from '../../../runtime/errors.ts';
import { createLog } from '../../../runtime/log.ts';
import type { Store } from '../../../runtime/store/store.ts';
import { testStore } from '../../support/store.ts';

export const FOUND: ProbeResult = {
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
  costs: [{ rows: 1, ms: 0.1 }],
};

export const AUTHOR = { who: 'ann', once: undefined };

/** Routes in memory, as simple as the catalog lets them be. */
export class FakeRoutes implements TrafficRoutes {
  readonly routes = new Map<string, EffectiveRoute>();

  async effective() {
    return [...this.routes.values()];
  }

  async uses(_sql: unknown, model: string, version: string) {
    const route = this.routes.get(model)?.route;
    const weight = (route?.weights[version] ?? 0) > 0 ? (['weight'] as const) : [];
    const shadow = route?.shadow?.version === version ? (['shadow'] as const) : [];
    return [...weight, ...shadow];
  }

  async promote(_sql: unknown, model: string, version: string) {
    const before = this.routes.get(model)?.route.weights;
    this.routes.set(model, { model, route: { weights: { [version]: 1 } }, source: 'database' });
    return before;
  }
}

export interface TestCatalog extends AsyncDisposable {
  readonly catalog: Catalog;
  readonly store: Store;
  readonly routes: FakeRoutes;
  readonly parts: CatalogParts;
  /** The folder of the stored artifacts. */
  readonly artifacts: string;
  /** A new folder with a model file of this content. */
  files(content: string): string;
  /** Registers a version whose file has this content. */
  register(
    model: string,
    version: string,
    content?: string,
    rest?: Partial<Registration>,
  ): ReturnType<Catalog['register']>;
}

/** @param models The versions of each model of the repository. */
export async function testCatalog(
  parts: Partial<CatalogParts> = {},
  models: Readonly<Record<string, readonly string[]>> = {},
): Promise<TestCatalog> {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-catalog-'));
  const artifacts = path.join(folder, 'artifacts');
  const own = parts.store === undefined ? await testStore() : undefined;
  const routes = new FakeRoutes();
  const all: CatalogParts = {
    store: own ?? parts.store!,
    routes,
    repository: {
      names: () => Object.keys(models).toSorted(),
      versions: (name) => models[name],
      config: (name) => (name in models ? { labels: ['of the model'] } : undefined),
    },
    artifacts: openArtifacts({ artifacts, s3: {} as never }),
    probe: async () => FOUND,
    checkSignature: async () => ({ status: 'unsigned', refusal: undefined, warning: undefined }),
    log: createLog('silent'),
    ...parts,
  };
  const catalog = new Catalog(all);
  let count = 0;
  const files = (content: string) => {
    count += 1;
    const made = path.join(folder, `files-${count}`);
    mkdirSync(made);
    writeFileSync(path.join(made, 'model.onnx'), content);
    return made;
  };
  return {
    catalog,
    store: all.store,
    routes,
    parts: all,
    artifacts,
    files,
    register: (model, version, content = `${model} ${version}`, rest = {}) => {
      const registration = {
        model,
        version,
        metadata: {},
        config: undefined,
        signature: undefined,
      };
      return catalog.register(files(content), { ...registration, ...rest }, AUTHOR.who);
    },
    async [Symbol.asyncDispose]() {
      await catalog.close();
      await own?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Empties the tables of the catalog, so that tests of one file share a store. */
export async function clear(store: Store): Promise<void> {
  await store.query('truncate models, catalog_events, artifact_garbage, idempotency_keys cascade');
}

/** Lets the leases of all versions run out, as if their servers had died. */
export async function expire(store: Store): Promise<void> {
  await store.query(
    `update model_versions set lease_until = now() - interval '1 second' where lease_until is not null`,
  );
}

/** Asserts that a promise rejects with a code and a sentence. */
export const rejects = (work: Promise<unknown>, code: string, message: RegExp) =>
  assert.rejects(work, (error: ServeError) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
