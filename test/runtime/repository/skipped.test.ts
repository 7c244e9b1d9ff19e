/** @module What a repository skips: whatever lies there, the models beside it are found, and each skipped entry has a reason. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { ServeError } from '../../../runtime/index.ts';
import { Repository } from '../../../runtime/repository/index.ts';
import { type Files, temporaryFiles } from '../../support/files.ts';

const GOOD: Files = { 'good/1/model.onnx': '' };

/** The result of a scan of these files and of the entries that `add` creates beside them. */
async function scan(files: Files, add: (root: string) => void = () => {}) {
  using folder = temporaryFiles(files);
  add(folder.path);
  const { models, skipped } = await (await Repository.open(folder.path)).scan();
  for (const { name, reason } of skipped) {
    assert.ok(!name.includes(folder.path) && !reason.includes(folder.path), `${name}: ${reason}`);
  }
  return {
    models: models.map(({ name, versions }) => `${name}:${versions.map((v) => v.version)}`),
    skipped: Object.fromEntries(skipped.map(({ name, reason }) => [name, reason])),
    raw: models,
  };
}

/** Creates a file whose name is not UTF-8, which a JavaScript string cannot hold. */
const touchBadName = (folder: string) =>
  execFileSync('sh', ['-c', `printf x > "${folder}/$(printf 'a\\377b.onnx')"`]);

/** For each kind of junk: how it is created in a folder, its name there, and the reason for skipping it. */
const JUNK: Readonly<Record<string, readonly [(folder: string) => void, string, RegExp]>> = {
  'a link to nothing': [
    (folder) => symlinkSync('nowhere', path.join(folder, 'dangling')),
    'dangling',
    /link to something that does not exist/,
  ],
  'a model file that is a link to nothing': [
    (folder) => symlinkSync('nowhere', path.join(folder, 'x.onnx')),
    'x.onnx',
    /link to something that does not exist/,
  ],
  'a link to itself': [
    (folder) => symlinkSync('loop', path.join(folder, 'loop')),
    'loop',
    /leads back to itself/,
  ],
  'a link to the folder that it is in': [
    (folder) => symlinkSync('.', path.join(folder, 'self')),
    'self',
    /link to a folder that holds it/,
  ],
  'a name that is not UTF-8': [touchBadName, 'a\uFFFDb.onnx', /not valid UTF-8/],
  'a pipe': [
    (folder) => execFileSync('mkfifo', [path.join(folder, 'pipe')]),
    'pipe',
    /neither a file nor a folder/,
  ],
  'a device': [
    (folder) => symlinkSync('/dev/zero', path.join(folder, 'zero.onnx')),
    'zero.onnx',
    /neither a file nor a folder/,
  ],
  'a resource fork of macOS': [
    (folder) => writeFileSync(path.join(folder, '._x.onnx'), ''),
    '._x.onnx',
    /starts with a dot/,
  ],
  'a hidden folder': [
    (folder) => mkdirSync(path.join(folder, '.git')),
    '.git',
    /starts with a dot/,
  ],
  'an empty folder': [
    (folder) => mkdirSync(path.join(folder, 'assets')),
    'assets',
    /holds no model file/,
  ],
  'a folder without a model': [
    (folder) => {
      mkdirSync(path.join(folder, '__pycache__'));
      writeFileSync(path.join(folder, '__pycache__', 'x.pyc'), '');
    },
    '__pycache__',
    /holds no model file/,
  ],
};

describe('junk is skipped with a reason, and the model beside it is served', () => {
  for (const [kind, [add, name, reason]] of Object.entries(JUNK)) {
    test(`${kind} at the top of the repository`, async () => {
      const found = await scan(GOOD, add);
      assert.deepEqual(found.models, ['good:1']);
      assert.deepEqual(Object.keys(found.skipped), [name]);
      assert.match(found.skipped[name]!, reason);
    });

    test(`${kind} inside a model`, async () => {
      const found = await scan(GOOD, (root) => add(path.join(root, 'good')));
      assert.deepEqual(found.models, ['good:1']);
      assert.ok(`good/${name}` in found.skipped, JSON.stringify(found.skipped));
    });

    test(`${kind} inside a version`, async () => {
      const found = await scan(GOOD, (root) => add(path.join(root, 'good/1')));
      assert.deepEqual(found.models, ['good:1']);
    });
  }

  test('all kinds at once, in every layout', async () => {
    const files = {
      ...GOOD,
      'triton/config.pbtxt': '',
      'triton/1/model.onnx': '',
      'face/config.json': '{}',
      'face/onnx/model.onnx': '',
      'loose/model.onnx': '',
      'bare.onnx': '',
    };
    const found = await scan(files, (root) => {
      for (const folder of ['.', 'good', 'triton', 'face', 'loose', 'triton/1', 'face/onnx']) {
        for (const [add] of Object.values(JUNK)) add(path.join(root, folder));
      }
    });
    assert.deepEqual(found.models, ['bare:1', 'face:1', 'good:1', 'loose:1', 'triton:1']);
  });

  test('a version that is a link to the repository', async () => {
    const found = await scan({ ...GOOD, 'bare.onnx': '' }, (root) =>
      symlinkSync('../..', path.join(root, 'good/2')),
    );
    assert.deepEqual(found.models, ['bare:1', 'good:1']);
  });

  test('a folder without read permission', async () => {
    const found = await scan({ ...GOOD, 'closed/README.md': '' }, (root) =>
      chmodSync(path.join(root, 'closed'), 0),
    );
    assert.deepEqual(found.models, ['good:1']);
    // The superuser can read it nevertheless, and finds no model.
    assert.match(found.skipped.closed!, /no permission|holds no model file/);
  });

  test('plain files, and the folders that Kubernetes and the server create, are ignored without a reason', async () => {
    const found = await scan(
      { '..2026_11_29/good/1/model.onnx': '', 'README.md': '', '.millrace/x': '', '.DS_Store': '' },
      (root) => {
        symlinkSync('..2026_11_29', path.join(root, '..data'));
        symlinkSync('..data/good', path.join(root, 'good'));
      },
    );
    assert.deepEqual(found.models, ['good:1'], 'a model behind links is served');
    assert.deepEqual(found.skipped, {});
  });

  test('a folder of scripts is ignored without a reason, unless something in it may be a model', async () => {
    const scripts = { 'train/train.py': '', 'train/requirements.txt': '', 'train/README.md': '' };
    assert.deepEqual((await scan(scripts)).skipped, {});
    const { skipped } = await scan({ ...scripts, 'train/model.pt': '' });
    assert.match(skipped.train!, /holds no model file/);
  });

  test('of two models with the same name, the one in its own folder is served', async () => {
    const found = await scan({ 'm/1/model.onnx': '', 'm.onnx': '' });
    assert.deepEqual(found.models, ['m:1']);
    assert.match(found.skipped['m.onnx']!, /another model 'm'/);
    assert.match(found.raw[0]!.versions[0]!.path, /m\/1\/model\.onnx$/);
  });
});

describe('a version is a folder that holds a model file', () => {
  test('a folder without one is skipped with a reason, and the others are served', async () => {
    const found = await scan({ 'm/1/model.onnx': '', 'm/2/notes.txt': '', 'm/v3/.keep': '' });
    assert.deepEqual(found.models, ['m:1']);
    assert.match(found.skipped['m/2']!, /holds no model file: expected model\.onnx/);
    assert.match(found.skipped['m/v3']!, /holds no model file/);
  });

  test('a model with a configuration but no version is skipped, and the reason says what is expected', async () => {
    for (const config of ['model.json', 'config.pbtxt']) {
      const found = await scan({
        [`m/${config}`]: config === 'model.json' ? '{}' : '',
        'm/1/x.txt': '',
      });
      assert.deepEqual(found.models, []);
      assert.match(found.skipped.m!, /holds no model file: expected model\.onnx in a folder/);
      assert.match(found.skipped['m/1']!, /holds no model file/);
    }
  });

  test('config.pbtxt selects the newest of the versions that hold a model file', async () => {
    const found = await scan({
      'm/config.pbtxt': '',
      'm/1/model.onnx': '',
      'm/2/model.onnx.part': '',
    });
    assert.deepEqual(found.models, ['m:1']);
    assert.match(found.skipped['m/2']!, /holds no model file/);
  });

  test('beside config.pbtxt, a version whose name is not a number is skipped with a reason', async () => {
    const found = await scan({
      'm/config.pbtxt': '',
      'm/1/model.onnx': '',
      'm/v2/model.onnx': '',
      'm/warmup/x': '',
    });
    assert.deepEqual(found.models, ['m:1']);
    assert.deepEqual(Object.keys(found.skipped), ['m/v2']);
    assert.match(found.skipped['m/v2']!, /is a number/);
  });

  test('a model whose version_policy selects no version is skipped with this reason', async () => {
    const policy = 'version_policy { specific { versions: 3 } }';
    const found = await scan({ 'm/config.pbtxt': policy, 'm/1/model.onnx': '' });
    assert.match(found.skipped.m!, /version_policy selects none of its versions: 1/);
  });
});

describe('a configuration that cannot be read fails only its own model', () => {
  const unreadable: Readonly<Record<string, readonly [(file: string) => void, RegExp]>> = {
    'a folder': [(file) => mkdirSync(file), /it is not a file/],
    'a link to nothing': [(file) => symlinkSync('nowhere', file), /does not exist/],
    'a link to itself': [(file) => symlinkSync(path.basename(file), file), /leads back to itself/],
    'a pipe': [(file) => execFileSync('mkfifo', [file]), /it is not a file/],
    'a device': [(file) => symlinkSync('/dev/zero', file), /it is not a file/],
    'far too large': [(file) => execFileSync('truncate', ['-s', '1G', file]), /1073741824 bytes/],
    'not UTF-8': [(file) => writeFileSync(file, Buffer.from('\ufeff{}', 'utf16le')), /not UTF-8/],
  };
  for (const [kind, [make, reason]] of Object.entries(unreadable)) {
    for (const config of ['model.json', 'config.pbtxt', 'config.json']) {
      test(`${config} is ${kind}`, async () => {
        const found = await scan(
          { ...GOOD, 'm/1/model.onnx': '', 'm/onnx/model.onnx': '' },
          (root) => make(path.join(root, 'm', config)),
        );
        assert.equal(found.models[0], 'good:1');
        const model = found.raw.find(({ name }) => name === 'm')!;
        assert.ok(model.config instanceof ServeError);
        assert.match(model.config.message, reason);
        assert.match(model.config.message, new RegExp(config));
      });
    }
  }

  test('config.json may hold any JSON', async () => {
    for (const text of ['null', '[]', '7', '"x"', '{"id2label": null}', '{"id2label": "x"}']) {
      const found = await scan({ 'm/config.json': text, 'm/onnx/model.onnx': '' });
      assert.deepEqual(found.raw[0]!.config, {}, text);
      assert.deepEqual(found.raw[0]!.settings.labels, {}, text);
    }
  });

  test('a byte order mark is accepted', async () => {
    const found = await scan({
      'a/model.json': '\ufeff{"default": true}',
      'a/1/model.onnx': '',
      'b/config.pbtxt': '\ufeffmax_batch_size: 4',
      'b/1/model.onnx': '',
      'c/config.json': '\ufeff{"id2label": {"0": "no", "1": "yes"}}',
      'c/model.onnx': '',
    });
    const [a, b, c] = found.raw;
    assert.deepEqual(a!.config, { default: true });
    assert.deepEqual(b!.config, { batching: { maxRows: 4 } });
    assert.deepEqual(c!.settings.labels, { logits: ['no', 'yes'] });
  });
});

describe('the folder of the repository itself', () => {
  test('is refused with the reason if it is not a folder', async () => {
    using folder = temporaryFiles({ file: '' });
    symlinkSync('loop', path.join(folder.path, 'loop'));
    for (const [name, reason] of [
      ['file', /not a folder/],
      ['missing', /does not exist/],
      ['loop', /leads back to itself/],
    ] as const) {
      await assert.rejects(Repository.open(path.join(folder.path, name)), (error: unknown) => {
        assert.ok(error instanceof ServeError && error.code === 'INVALID_CONFIG');
        assert.match(
          error.message,
          /^The model repository .* cannot be read\..*; write in MODEL_PATH/,
        );
        assert.match(error.message, reason);
        return true;
      });
    }
  });
});

test('a folder with weights of PyTorch alone is skipped with the command that makes a model of them', async () => {
  for (const weights of ['model.safetensors', 'pytorch_model.bin']) {
    const { models, skipped } = await scan({
      ...GOOD,
      'bert/config.json': '{"architectures":["BertForSequenceClassification"]}',
      [`bert/${weights}`]: '',
    });
    assert.deepEqual(models, ['good:1']);
    assert.match(skipped.bert!, /weights of PyTorch: make one with optimum-cli export onnx/);
  }
});
