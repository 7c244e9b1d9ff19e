/**
 * Loads and unloads versions, registers and drops them, and moves labels and weights, many changes at a time, while requests
 * run in two runtimes of one process. Every response must be that of the version that it names.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openEngine } from '../../../native/index.ts';
import { type BusMember, ChangeSequencer } from '../../../runtime/bus.ts';
import type { CatalogModel, CatalogVersion } from '../../../runtime/catalog/index.ts';
import { createLog, createRuntime, type Runtime, ServeError } from '../../../runtime/index.ts';
import { ROW } from '../../services/support.ts';
import { infer, testConfig } from '../../support/service.ts';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const MODEL = 'swap';
const CONFIG = {
  task: 'classification',
  output: 'probabilities',
  labels: ['setosa', 'versicolor', 'virginica'],
};
/** The versions, and which of two models each is; the first lies in the repository, and the others are registered. */
const VERSIONS = { v1: 'a', v2: 'b', v3: 'a', v4: 'b' } as const;
type Version = keyof typeof VERSIONS;
const registered: readonly Version[] = ['v2', 'v3', 'v4'];
/** What a request may get while the version that it wants is not there. */
const ABSENT = ['MODEL_NOT_FOUND', 'VERSION_NOT_FOUND', 'MODEL_NOT_READY'];

export interface ChurnOptions {
  /** Loops that make changes at the same time. */
  readonly loops: number;
  /** Changes of each loop. */
  readonly changes: number;
  /** Loops that send requests to each runtime. */
  readonly clients: number;
  readonly random: () => number;
  /** Called after each change with the number of changes so far. */
  readonly onChange?: (count: number) => void;
}

export interface ChurnReport {
  readonly changes: number;
  /** Responses by version. */
  readonly responses: Readonly<Record<string, number>>;
  /** Requests for a version that was not there. */
  readonly absent: number;
}

/** @throws if a response is not that of its version, or a request or change fails in an unexpected way */
export async function churn(options: ChurnOptions): Promise<ChurnReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-churn-'));
  const place = (name: string) => path.join(folder, name, 'model.onnx');
  for (const [file, names] of [
    ['v1.0', ['models/swap/v1', 'a']],
    ['v2.0', ['b']],
  ] as const) {
    for (const name of names) {
      mkdirSync(path.join(folder, name), { recursive: true });
      copyFileSync(path.join(top, 'models/iris', file, 'model.onnx'), place(name));
    }
  }
  writeFileSync(path.join(folder, 'models/swap/model.json'), JSON.stringify(CONFIG));
  const members: BusMember[] = [];
  const bus = new ChangeSequencer(members);
  const engine = openEngine({ threads: 2 });
  const runtimes: Runtime[] = [];
  const config = {
    ...testConfig(path.join(folder, 'models')),
    cacheDir: path.join(folder, 'cache'),
    modelControlMode: 'explicit' as const,
    loadModels: ['*'],
  };
  try {
    for (let i = 0; i < 2; i += 1) {
      const runtime = await createRuntime(config, engine, {
        ...{ bus, first: i === 0, log: createLog('silent') },
      });
      members.push(runtime.member);
      runtimes.push(runtime);
    }
    return await run(options, folder, bus, runtimes);
  } finally {
    await bus.close();
    for (const runtime of runtimes) await runtime.close();
    await engine.close();
    rmSync(folder, { recursive: true });
  }
}

async function run(
  { loops, changes, clients, random, onChange }: ChurnOptions,
  folder: string,
  bus: ChangeSequencer,
  runtimes: readonly Runtime[],
): Promise<ChurnReport> {
  const catalog = (versions: readonly Version[]) =>
    bus.publish({ kind: 'catalog', snapshot: { models: [model(folder, versions, random)] } });
  await catalog(registered);
  const expected = new Map<string, number>();
  for (const version of Object.keys(VERSIONS))
    expected.set(version, await ask(runtimes[0]!, version));
  assert.notEqual(expected.get('v1'), expected.get('v2'), 'the models can be told apart');
  const responses: Record<string, number> = {};
  let absent = 0;
  let made = 0;
  let over = false;
  const client = async (runtime: Runtime) => {
    while (!over) {
      const wanted = pick([undefined, 'stable', ...Object.keys(VERSIONS)], random);
      try {
        const { version, predictions } = await infer(runtime, request(wanted));
        assert.equal(
          Number(predictions[0]!.confidence),
          expected.get(version),
          `${version} responded`,
        );
        if (wanted !== undefined && wanted !== 'stable') assert.equal(version, wanted);
        responses[version] = (responses[version] ?? 0) + 1;
      } catch (error) {
        if (!(error instanceof ServeError) || !ABSENT.includes(error.code)) throw error;
        absent += 1;
        // Otherwise requests that fail at once would keep all other work from running.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  };
  const change = async () => {
    for (let i = 0; i < changes; i += 1) {
      await pick(
        [
          () => bus.publish({ kind: 'load', name: MODEL, override: undefined }),
          () => bus.publish({ kind: 'unload', name: MODEL }),
          () => catalog(registered.filter(() => random() < 0.6)),
          () => catalog(registered),
        ],
        random,
      )().catch((error: unknown) => {
        const isGone =
          error instanceof ServeError && /not loaded|are registered/.test(error.message);
        if (!isGone) throw error;
      });
      made += 1;
      onChange?.(made);
    }
  };
  const asking = Promise.all(
    runtimes.flatMap((each) => Array.from({ length: clients }, () => client(each))),
  );
  const changing = Promise.all(Array.from({ length: loops }, change)).finally(() => {
    over = true;
  });
  await Promise.all([changing, asking]);
  assert.equal(runtimes[0]!.state(), runtimes[1]!.state());
  return { changes: made, responses, absent };
}

/** The model with these registered versions, and with a label and weights that name some of them. */
function model(folder: string, names: readonly Version[], random: () => number): CatalogModel {
  const versions = names.map((version): CatalogVersion => {
    const content = VERSIONS[version];
    return {
      ...{ version, digest: `sha256:${content}`, config: CONFIG, signature: null },
      path: path.join(folder, content),
    };
  });
  const labels = names.length === 0 ? {} : { stable: pick(names, random) };
  const weights = Object.fromEntries(names.map((name) => [name, random()]));
  const route = random() < 0.5 ? undefined : { weights };
  return { name: MODEL, versions, labels, route, routeSource: route && 'database' };
}

const request = (version: string | undefined) => ({ model: MODEL, version, features: ROW });

async function ask(runtime: Runtime, version: string): Promise<number> {
  const { predictions } = await infer(runtime, request(version));
  return Number(predictions[0]!.confidence);
}

const pick = <T>(items: readonly T[], random: () => number): T =>
  items[Math.floor(random() * items.length)]!;
