/** @module `millrace models`, `routes` and `experiments` against a running gateway. */

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../../support/until.ts';
import { type CommandLine, commandLine, model, modelJson, top } from './support.ts';

describe('millrace models', () => {
  let cli: CommandLine;
  const routes = mkdtempSync(path.join(tmpdir(), 'millrace-routes-'));
  before(async () => {
    const file = path.join(routes, 'routes.json');
    writeFileSync(file, '{"diabetes":{"weights":{"v1.0":1}}}');
    cli = await commandLine({ ROUTING_FILE: file });
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    rmSync(routes, { recursive: true });
  });

  const register = (version: string, ...args: readonly string[]) => {
    const given = ['--name', 'flower', '--version', version, '--config', modelJson, ...args];
    return cli.json('models', 'register', '--model-path', model('v2.0'), ...given);
  };

  test('register stores a file, and a version of the same name is the same one', async () => {
    const first = await register('v1', '--metadata', '{"accuracy":0.97}');
    assert.deepEqual([first.state, first.metadata], ['ready', { accuracy: 0.97 }]);
    assert.deepEqual((await register('v1')).digest, first.digest);
    const again = ['--name', 'flower', '--version', 'v1', '--config', modelJson];
    const said = await cli.text('models', 'register', '--model-path', model('v2.0'), ...again);
    assert.match(said, /was registered before with the same content, and stays as it is\.$/m);
    const list = await cli.text('models', 'list', '--name', 'flower');
    assert.match(list, /^version\tstate\t.*\nv1\tready\t\d+\t/);
  });

  test('register stores a folder', async () => {
    const folder = path.join(cli.folder, 'model');
    mkdirSync(folder);
    cpSync(model('v2.0'), path.join(folder, 'model.onnx'));
    writeFileSync(path.join(folder, 'labels.txt'), 'a\nb\nc\n');
    const given = ['--name', 'folder', '--version', 'v1'];
    const made = await cli.json('models', 'register', '--model-path', folder, ...given);
    assert.equal(made.state, 'ready');
    assert.ok(made.bytes > 848, `${made.bytes} bytes`);
  });

  test('register says that a bare graph of a model of texts is not the default', async () => {
    const graph = path.join(top, 'models/ner/onnx/model_int8.onnx');
    const given = ['--model-path', graph, '--name', 'ner', '--version', '2'];
    const said = await cli.text('models', 'register', ...given);
    assert.match(said, /^Version 2 of ner is ready\.\nRequests that name no version still go to /);
    assert.match(said, /register a folder that also holds config\.json and tokenizer\.json/);
    const { version, reason } = await cli.json('models', 'show', '--name', 'ner', '--version', '2');
    assert.equal(version, '2');
    assert.ok(said.includes(reason), reason);
    const response = await fetch(`${cli.url}/analyze/ner`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"text":"Ada Lovelace lived in London."}',
    });
    const body = (await response.json()) as { model_version: string };
    assert.deepEqual([response.status, body.model_version], [200, '1'], JSON.stringify(body));
  });

  test('register says why a version is rejected, with the exit code 1', async () => {
    const file = path.join(cli.folder, 'broken.onnx');
    writeFileSync(file, 'not a model');
    const given = ['--model-path', file, '--name', 'broken', '--version', 'v1'];
    const { code, stdout, stderr } = await cli.run('models', 'register', ...given, '--json');
    assert.equal(code, 1);
    assert.match(stderr, /^.+\.\n$/);
    assert.equal(JSON.parse(stdout).code, 'REJECTED');
    assert.equal(
      (await cli.json('models', 'show', '--name', 'broken', '--version', 'v1')).state,
      'rejected',
    );
  });

  test('promote, rollback and label move the labels of a model', async () => {
    await register('v1');
    await register('v2');
    const named = ['--name', 'flower'];
    await cli.text('models', 'promote', ...named, '--version', 'v1');
    await cli.text('models', 'promote', ...named, '--version', 'v2');
    const { labels } = await cli.json('models', 'show', ...named);
    assert.equal(labels.stable, 'v2');
    const said = await cli.text('models', 'rollback', ...named);
    assert.match(said, /^Version v1 of flower is the stable one\.$/m);
    await cli.text('models', 'label', ...named, '--label', 'night', '--version', 'v2');
    const moved = await cli.json('models', 'show', ...named);
    assert.deepEqual(moved.labels, { stable: 'v1', night: 'v2' });
    await cli.text('models', 'label', ...named, '--label', 'night', '--remove');
    assert.deepEqual((await cli.json('models', 'show', ...named)).labels, { stable: 'v1' });
    assert.match(await cli.text('models', 'list'), /^flower\tstable=v1$/m);
  });

  test('archive ends a version, unless a label names it', async () => {
    await register('old');
    const at = ['models', 'archive', '--name', 'flower', '--version'];
    await cli.text('models', 'label', '--name', 'flower', '--label', 'used', '--version', 'old');
    const { code, stderr } = await cli.run(...at, 'old');
    assert.equal(code, 1);
    assert.match(stderr, /'used'/);
    await cli.text('models', 'label', '--name', 'flower', '--label', 'used', '--remove');
    await cli.text(...at, 'old', '--purge');
    const shown = await cli.json('models', 'show', '--name', 'flower', '--version', 'old');
    assert.deepEqual([shown.state, shown.purged], ['archived', true]);
  });

  test('a canary and a shadow share a route; the weights end the canary', async () => {
    const named = ['--name', 'iris'];
    const weights = ['--weights', '{"v1.0":3,"v2.0":1}', '--sticky', '{"header":"X-User-Id"}'];
    await cli.text('routes', 'set', ...named, ...weights);
    await cli.text('routes', 'shadow', ...named, '--version', 'v2.0', '--fraction', '1');
    const plan = ['--version', 'v2.0', '--steps', '0.1,1', '--bake-seconds', '3600'];
    await cli.text('routes', 'canary', ...named, ...plan);
    const running = await cli.json('routes', 'get', ...named);
    assert.deepEqual(running.sticky, { header: 'X-User-Id' });
    assert.equal(running.shadow.version, 'v2.0');
    assert.deepEqual([running.canary.state, running.canary.steps], ['running', [0.1, 1]]);
    for (const [action, state] of [
      ['pause', 'paused'],
      ['resume', 'running'],
      ['abort', 'rolled_back'],
    ] as const) {
      const steered = await cli.json('routes', 'canary', action, ...named);
      assert.equal(steered.canary.state, state);
    }
    await cli.text('routes', 'shadow', ...named, '--off');
    await cli.text('routes', 'set', ...named, '--weights', '{"v1.0":1,"v2.0":1}');
    const { canary, shadow, weights: split } = await cli.json('routes', 'get', ...named);
    assert.deepEqual([canary, shadow], [undefined, undefined]);
    assert.deepEqual(Object.keys(split), ['v1.0', 'v2.0']);
  });

  test('routes set says that ROUTING_FILE takes precedence', async () => {
    const given = ['routes', 'set', '--name', 'diabetes', '--weights', '{"v1.0":2}', '--json'];
    const { code, stdout, stderr } = await cli.run(...given);
    assert.deepEqual([code, JSON.parse(stdout).source], [0, 'file']);
    assert.match(stderr, /ROUTING_FILE of the server names 'diabetes' and takes precedence/);
  });

  test('experiments compares the versions that share the requests', async () => {
    await cli.text('routes', 'set', '--name', 'iris', '--weights', '{"v1.0":1,"v2.0":1}');
    const body = JSON.stringify({ model: 'iris', features: [5.1, 3.5, 1.4, 0.2] });
    const headers = { 'Content-Type': 'application/json' };
    for (let i = 0; i < 40; i += 1) {
      const response = await fetch(`${cli.url}/predict`, { method: 'POST', body, headers });
      assert.equal(response.status, 200);
      await response.arrayBuffer();
    }
    await until(async () => {
      const { arms } = await cli.json('experiments', '--name', 'iris');
      const counts = arms.map(({ requests }: { requests: number }) => requests);
      return counts.length === 2 && counts[0] > 0 && counts[1] > 0;
    }, 'both arms have requests');
    assert.match(await cli.text('experiments', '--name', 'iris'), /^arm\tversion\trequests\t/);
  });

  for (const [args, code, message] of [
    [['models', 'show', '--name', 'nothing'], 1, /'nothing'/],
    [['models', 'promote', '--name', 'iris', '--version', 'v9'], 1, /'v9'/],
    [
      ['models', 'register', '--name', 'a', '--version', '1', '--model-path', '/nowhere'],
      1,
      /nowhere/,
    ],
    [['routes', 'set', '--name', 'iris', '--weights', '{"v9":1}'], 1, /'v9'/],
    [['routes', 'set', '--name', 'iris', '--weights', '[]'], 2, /Write a JSON object/],
    [['routes', 'canary', '--name', 'iris'], 2, /write --version, or an action/],
    [['routes', 'canary', 'halt', '--name', 'iris'], 2, /pause, resume, promote, abort/],
    [['models', 'register', '--name', 'a'], 2, /--model-path/],
    [['models', 'list', '--url', 'http://127.0.0.1:1'], 3, /No server responds/],
  ] as const) {
    test(`${args.join(' ')} ends with ${code}`, async () => {
      const { code: ended, stderr } = await cli.run(...args);
      assert.equal(ended, code, stderr);
      assert.match(stderr, message);
    });
  }
});
