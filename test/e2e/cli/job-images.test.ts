/** @module `millrace jobs submit --images` against a running gateway, with a model that names colours. */

import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { colorClassifier, plainImage } from '../../services/vision/support.ts';
import { zipOf } from '../../support/archives.ts';
import { type TemporaryFiles, temporaryFiles } from '../../support/files.ts';
import { type CommandLine, commandLine } from './support.ts';

const TARGET = ['--service', 'vision', '--path', '/classify'];
const red = await plainImage('#ff0000');
const blue = await plainImage('#0000ff', 'jpeg');

describe('with a gateway that has a model of images', () => {
  let cli: CommandLine;
  let models: TemporaryFiles;
  before(async () => {
    models = temporaryFiles(
      Object.fromEntries(
        Object.entries(colorClassifier()).map(([file, content]) => [`colors/${file}`, content]),
      ),
    );
    cli = await commandLine({ MODEL_PATH: models.path });
  });
  after(async () => {
    await cli[Symbol.asyncDispose]();
    models[Symbol.dispose]();
  });

  /** Submits images, and returns the names and classes of the results. */
  async function classes(place: string, ...more: readonly string[]) {
    const job = await cli.json('jobs', 'submit', ...TARGET, '--images', place, '--wait', ...more);
    assert.equal(job.status, 'succeeded');
    const lines = (await cli.text('jobs', 'results', job.job_id)).trimEnd().split('\n');
    return lines
      .map((line) => JSON.parse(line))
      .map(({ file, body }) => [
        file,
        body.predictions?.map((each: { class: string }) => each.class) ?? body.code,
      ]);
  }

  test('a folder is sent with its images in order, with options', async () => {
    const folder = path.join(cli.folder, 'photos');
    mkdirSync(path.join(folder, 'b/.hidden'), { recursive: true });
    const files = { 'b/2.PNG': red, 'a.jpg': blue, 'b/10.jpeg': red, 'b/.hidden/x.png': red };
    for (const [name, content] of Object.entries({ ...files, 'notes.txt': 'x', '.a.png': red })) {
      writeFileSync(path.join(folder, name), content);
    }
    symlinkSync('a.jpg', path.join(folder, 'link.jpg'));
    assert.deepEqual(await classes(folder, '--option', 'top_k=1'), [
      ['a.jpg', ['blue']],
      ['b/10.jpeg', ['red']],
      ['b/2.PNG', ['red']],
    ]);
    const submit = () =>
      cli.text('jobs', 'submit', ...TARGET, '--images', folder, '--idempotency-key', 'photos');
    assert.equal(await submit(), await submit());
  });

  test('a zip archive is sent as it is', async () => {
    const file = path.join(cli.folder, 'photos.zip');
    const members = [
      { name: 'z.png', text: red },
      { name: 'notes.txt', text: 'nothing' },
    ];
    writeFileSync(file, zipOf(members));
    const found = await classes(file, '--option', 'top_k=1', '--option', 'threshold=0.4');
    assert.deepEqual(found, [
      ['z.png', ['red']],
      ['notes.txt', 'UNSUPPORTED_MEDIA_TYPE'],
    ]);
  });

  test('what is no folder of images and no archive is refused', async () => {
    const empty = path.join(cli.folder, 'empty');
    mkdirSync(empty);
    writeFileSync(path.join(cli.folder, 'photo.rar'), 'x');
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['empty', /has no images/],
      ['missing', /no file or folder/],
      ['photo.rar', /neither a folder nor a .zip or .tar/],
    ];
    for (const [name, message] of wrong) {
      const place = path.join(cli.folder, name);
      const { code, stderr } = await cli.run('jobs', 'submit', ...TARGET, '--images', place);
      assert.equal(code, 1);
      assert.match(stderr, message);
    }
  });

  test('options that do not fit are refused as usage', async () => {
    const usage: readonly (readonly string[])[] = [
      ['--images', '.', '--body', '{}'],
      ['--images', '.', '--option', 'top_k'],
      ['--body', '{}', '--option', 'top_k=1'],
      [],
    ];
    for (const more of usage) {
      const { code } = await cli.run('jobs', 'submit', ...TARGET, ...more);
      assert.equal(code, 2, more.join(' '));
    }
  });
});
