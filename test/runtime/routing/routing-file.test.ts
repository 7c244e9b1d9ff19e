import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createLog } from '../../../runtime/index.ts';
import { parseRules, RoutingFile } from '../../../runtime/routing/routing-file.ts';
import { until } from '../../support/until.ts';

/** Long enough that no timer reads the file: the tests call `read()`. */
const NEVER_MS = 1e9;

const served = { iris: ['v1.0', 'v2.0'], wine: ['1'] };

interface Opened extends AsyncDisposable {
  readonly file: RoutingFile;
  readonly path: string;
  readonly folder: string;
  readonly lines: Record<string, unknown>[];
  /** Makes another model the default one. */
  setDefault(model: string): void;
  /** Calls of the listener so far. */
  changes(): number;
  /** Replaces the file and reads it. */
  write(content: unknown): Promise<void>;
}

async function opened(
  content: unknown,
  {
    defaultModel = 'iris',
    pollMs = NEVER_MS,
  }: { defaultModel?: string | null; pollMs?: number } = {},
): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-routing-'));
  const path = join(folder, 'routing.json');
  const toText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  if (content !== undefined) writeFileSync(path, toText(content));
  const lines: Record<string, unknown>[] = [];
  const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) });
  const table = {
    defaultModel: defaultModel ?? undefined,
    get(name: string) {
      const versions = served[name as keyof typeof served];
      return versions && { hasVersion: (version: string) => versions.includes(version) };
    },
  } as Parameters<typeof RoutingFile.open>[0]['table'];
  const file = await RoutingFile.open({ path, table, log, pollMs });
  let changes = 0;
  file.listen(() => {
    changes += 1;
  });
  return {
    ...{ file, path, folder, lines },
    setDefault: (model) => Object.assign(table, { defaultModel: model }),
    changes: () => changes,
    async write(next) {
      writeFileSync(`${path}.new`, toText(next));
      renameSync(`${path}.new`, path);
      await file.read();
    },
    async [Symbol.asyncDispose]() {
      file.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const even = { 'v1.0': 0.5, 'v2.0': 0.5 };
const errors = ({ lines }: Opened) => lines.filter(({ level }) => level === 50);

describe('the forms of the file', () => {
  test('shares by version are those of the default model', async () => {
    await using made = await opened({ 'v1.0': 0.8, 'v2.0': 0.2 });
    assert.deepEqual(made.file.routes(), { iris: { weights: { 'v1.0': 0.8, 'v2.0': 0.2 } } });
    assert.deepEqual(made.file.notes(), []);
  });

  test('shares by version have no effect without a default model, which a note says', async () => {
    await using made = await opened(even, { defaultModel: null });
    assert.deepEqual(made.file.routes(), {});
    const note = 'ROUTING_FILE is about the default model, and no model is; set DEFAULT_MODEL.';
    assert.deepEqual(made.file.notes(), [note]);
  });

  test('routes by model have every member of a route', async () => {
    const iris = {
      weights: even,
      sticky: { header: 'X-User-Id' },
      shadow: { version: 'v2.0', fraction: 0.1 },
    };
    await using made = await opened({ iris, wine: { weights: { '1': 1 } } });
    assert.deepEqual(made.file.routes(), { iris, wine: { weights: { '1': 1 } } });
    assert.deepEqual(made.file.notes(), []);
  });

  test('an empty object names no model', async () => {
    await using made = await opened({});
    assert.deepEqual(made.file.routes(), {});
    assert.ok(made.file.isValid);
  });

  test('models and versions that are not served are noted', async () => {
    await using made = await opened({
      rose: { weights: { '1': 1 } },
      iris: { weights: { ...even, 'v9.0': 1 }, shadow: { version: 'v3.0', fraction: 1 } },
    });
    assert.deepEqual(made.file.notes(), [
      "ROUTING_FILE names the model 'rose', which is not served.",
      "ROUTING_FILE names version 'v9.0' of model 'iris', which is not served.",
      "ROUTING_FILE names version 'v3.0' of model 'iris', which is not served.",
    ]);
  });
});

describe('mistakes', () => {
  for (const [what, content, message] of [
    ['text that is not JSON', '{"v1.0": 0.8,', /ROUTING_FILE is not valid JSON\./],
    ['an empty file', '', /not valid JSON/],
    ['a list', [even], /must be an object/],
    ['a number', 1, /must be an object/],
    ['null', 'null', /must be an object/],
    ['shares and routes together', { ...even, iris: { weights: even } }, /mixes shares/],
    [
      'a share that is text',
      { iris: { weights: { 'v1.0': '1' } } },
      /weights\.v1\.0 must be a number but is "1"/,
    ],
    ['a negative share', { 'v1.0': -1, 'v2.0': 2 }, /weights\.v1\.0 must be at least 0 but is -1/],
    ['shares that are all 0', { 'v1.0': 0 }, /shares by version of which one is more than 0/],
    ['a share beyond all numbers', '{"v1.0": 1e999}', /weights\.v1\.0 must be a finite number/],
    [
      'an unknown member',
      { iris: { wieghts: even } },
      /route of 'iris'.* unknown key 'wieghts'; write 'weights'/,
    ],
    [
      'two kinds of keys',
      { iris: { sticky: { header: 'a', claim: 'b' } } },
      /sticky .*unknown key/,
    ],
    [
      'a pointer without a slash',
      { iris: { sticky: { field: 'user' } } },
      /JSON pointer into the body, such as \/user\/id but is "user"/,
    ],
    ['a header that is none', { iris: { sticky: { header: 'X User' } } }, /the name of a header/],
    [
      'a fraction above 1',
      { iris: { shadow: { version: '1', fraction: 2 } } },
      /shadow\.fraction must be at most 1/,
    ],
    [
      'steps that fall',
      { iris: { canary: { version: '1', steps: [0.5, 0.1] } } },
      /each is greater than the one before/,
    ],
    [
      'a step of 0',
      { iris: { canary: { version: '1', steps: [0, 1] } } },
      /steps\[0\] must be more than 0/,
    ],
    [
      'no steps',
      { iris: { canary: { version: '1', steps: [] } } },
      /a list whose length is at least 1/,
    ],
    [
      'an unknown guard',
      { iris: { canary: { version: '1', steps: [1], guards: { errors: 1 } } } },
      /guards has the unknown key 'errors'/,
    ],
    ['a route that is a list', { iris: [] }, /must be an object but is \[\]/],
  ] as const) {
    test(`${what} keep the last good file, and show`, async () => {
      await using made = await opened(even);
      await made.write(content);
      assert.deepEqual(made.file.routes(), { iris: { weights: even } });
      assert.ok(!made.file.isValid);
      const [note] = made.file.notes();
      assert.match(note!, message);
      assert.match(note!, /Until it is mended the routes before it stay in effect\.$/);
      assert.doesNotMatch(note!, /\/tmp|routing\.json/);
      assert.deepEqual(
        errors(made).map(({ reason }) => reason),
        [note],
      );
      assert.equal(made.changes(), 0);
      await made.file.read();
      assert.equal(errors(made).length, 1, 'it is logged once');
      await made.write({ 'v1.0': 1 });
      assert.deepEqual(made.file.routes(), { iris: { weights: { 'v1.0': 1 } } });
      assert.deepEqual(made.file.notes(), []);
      assert.equal(made.changes(), 1);
    });
  }

  test('names that objects have from birth are names like others', () => {
    const rules = parseRules('{"__proto__": {"weights": {"constructor": 1}}}');
    assert.ok('byModel' in rules);
    assert.deepEqual(Object.keys(rules.byModel), ['__proto__']);
    assert.equal(Object.getPrototypeOf(rules.byModel), Object.prototype);
  });
});

test('a canary in the file is noted, because it does not run', async () => {
  const canary = { version: 'v2.0', steps: [0.5, 1] };
  await using made = await opened({ iris: { weights: { 'v1.0': 1 }, canary } });
  assert.deepEqual(made.file.notes(), [
    "ROUTING_FILE has a canary for model 'iris', which does not run; canaries run in routes of /admin/models.",
  ]);
});

describe('following', () => {
  test('a file that is missing at the start is followed when it appears', async () => {
    await using made = await opened(undefined);
    assert.deepEqual(made.file.routes(), {});
    assert.match(made.file.notes()[0]!, /does not exist.* no route of it is in effect/);
    await made.write(even);
    assert.deepEqual(made.file.routes(), { iris: { weights: even } });
    rmSync(made.path);
    await made.file.read();
    assert.deepEqual(made.file.routes(), { iris: { weights: even } });
    assert.ok(!made.file.isValid);
  });

  test('the swap of a symbolic link, as Kubernetes replaces a ConfigMap, is followed', async () => {
    await using made = await opened(undefined);
    const { folder, file } = made;
    const version = (name: string, weights: object) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'routing.json'), JSON.stringify(weights));
    };
    version('..2026_1', { 'v1.0': 1, 'v2.0': 0 });
    symlinkSync('..2026_1', join(folder, '..data'));
    symlinkSync('..data/routing.json', made.path);
    await file.read();
    assert.deepEqual(file.routes(), { iris: { weights: { 'v1.0': 1, 'v2.0': 0 } } });
    // The file has the same size and, on a fast machine, the same time.
    version('..2026_2', { 'v1.0': 0, 'v2.0': 1 });
    symlinkSync('..2026_2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    rmSync(join(folder, '..2026_1'), { recursive: true });
    await file.read();
    assert.deepEqual(file.routes(), { iris: { weights: { 'v1.0': 0, 'v2.0': 1 } } });
    assert.equal(made.changes(), 2);
  });

  test('shares of the default model follow the model that is the default', async () => {
    await using made = await opened(even, { defaultModel: null });
    made.setDefault('iris');
    await made.file.read();
    assert.deepEqual(Object.keys(made.file.routes()), ['iris']);
    assert.equal(made.changes(), 1);
    await made.file.read();
    assert.equal(made.changes(), 1);
  });

  test('it is read by itself, and listeners are told of changes only', async () => {
    await using made = await opened(even, { pollMs: 1 });
    writeFileSync(made.path, JSON.stringify({ 'v1.0': 1 }));
    await until(() => made.changes() === 1, 'the change is seen');
    await made.file.read();
    assert.equal(made.changes(), 1);
  });

  test('a file that is too large, or a folder, is refused without being read', async () => {
    await using made = await opened(even);
    await made.write(' '.repeat(5 * 1024 * 1024));
    assert.match(made.file.notes()[0]!, /bytes, and at most/);
    rmSync(made.path);
    mkdirSync(made.path);
    await made.file.read();
    assert.match(made.file.notes()[0]!, /it is not a file/);
  });
});
