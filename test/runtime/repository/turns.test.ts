/** @module Other work of the thread gets its turn while a large repository is read. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { fingerprint, Repository } from '../../../runtime/repository/index.ts';
import { temporaryFiles } from '../../support/files.ts';

const MODELS = 100;
/** The least number of turns that other work must get: one for every eight models. */
const TURNS = MODELS / 8;

/** How often other work, which reads from the same disk, gets its turn while `work` runs. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const other = async () => {
    for (; !over; turns += 1) await stat(import.meta.filename);
  };
  const ended = other();
  await work();
  over = true;
  await ended;
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
