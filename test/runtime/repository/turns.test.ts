/** @module Other work of the thread gets its turn while a large repository is read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint, Repository } from '../../../runtime/repository/index.ts';
import { temporaryFiles } from '../../support/files.ts';

const MODELS = 100;
/** The least number of turns of the event loop that must pass: one for every eight models. */
const TURNS = MODELS / 8;

/** Turns of the event loop that pass while `work` runs. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const count = () => {
    turns += 1;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  await work();
  over = true;
  return turns;
}

test('a scan of 100 models, and their fingerprints, take many turns of the event loop', async () => {
  const files = Object.fromEntries(
    Array.from({ length: MODELS }, (_, i) => [
      [`m${i}/1/model.onnx`, ''],
      [`m${i}/config.pbtxt`, 'max_batch_size: 8'],
    ]).flat(),
  );
  using folder = temporaryFiles(files);
  const repository = await Repository.open(folder.path);
  const { models } = await repository.scan();
  assert.equal(models.length, MODELS);
  const scan = await turnsDuring(() => repository.scan());
  assert.ok(scan >= TURNS, `${scan} turns`);
  const compared = await turnsDuring(async () => {
    for (const model of models) await fingerprint(model);
  });
  assert.ok(compared >= TURNS, `${compared} turns`);
});
