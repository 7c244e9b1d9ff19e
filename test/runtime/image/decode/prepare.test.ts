/** @module Tests that the library that decodes images is loaded with the first version that takes them, and not before. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openEngine } from '../../../../native/index.ts';
import { loadVersion } from '../../../../runtime/load-version.ts';
import { Repository } from '../../../../runtime/repository/index.ts';
import { versionSource } from '../../../../runtime/version-source.ts';
import { loading } from '../../../support/loading.ts';
import { testRepository } from '../../../support/repository.ts';

const SETTINGS = { device: 'cpu', engineCache: '', batchSize: undefined };
const engine = openEngine();
after(() => engine.close());

/** Loads the first version of a folder's model. @returns How often the decoder was made ready, which fails with `failure` */
async function preparesOf(repository: string, name: string, failure?: Error): Promise<number> {
  const { models } = await (await Repository.open(repository)).scan();
  const folder = models.find((each) => each.name === name)!;
  const source = await versionSource(folder, folder.versions[0]!, SETTINGS);
  let prepares = 0;
  const prepare = async () => {
    prepares += 1;
    if (failure !== undefined) throw failure;
  };
  const version = await loadVersion({ ...loading(engine), decoder: { prepare } }, source);
  await version.close();
  return prepares;
}

test('a version that takes images makes the decoder ready', async () => {
  assert.equal(await preparesOf('test/fixtures/vision', 'convnext'), 1);
});

test('and is served without it, because its tensors need none', async () => {
  const failure = new Error('The library is not installed.');
  assert.equal(await preparesOf('test/fixtures/vision', 'convnext', failure), 1);
});

test('another version does not', async () => {
  using repository = testRepository({
    f: { versions: { '1': 'test/fixtures/models/identity-float32.onnx' } },
  });
  assert.equal(await preparesOf(repository.path, 'f'), 0);
});
