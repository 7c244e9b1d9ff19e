/** @module How the scores of cross-encoders are read, as sentence-transformers chooses it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { classifierFolder, descriptionOf, type FolderFiles } from '../../support/text-folder.ts';

const IDENTITY = 'torch.nn.modules.linear.Identity';
const SIGMOID = 'torch.nn.modules.activation.Sigmoid';

/** A cross-encoder of one label. */
const folderOf = (config: object, files: FolderFiles = {}): FolderFiles => ({
  ...classifierFolder,
  'config.json': {
    ...(classifierFolder['config.json'] as object),
    id2label: { 0: 'LABEL_0' },
    sentence_transformers: {},
    ...config,
  },
  ...files,
});

const OWN = 'config_sentence_transformers.json';

describe('the score of a cross-encoder', () => {
  for (const [what, files, problemType] of [
    ['without an activation', folderOf({}), undefined],
    ['with a sigmoid', folderOf({ sentence_transformers: { activation_fn: SIGMOID } }), undefined],
    [
      'with none, as in config.json',
      folderOf({ sentence_transformers: { activation_fn: IDENTITY } }),
      'regression',
    ],
    [
      'with none, as older versions wrote it',
      folderOf({ sbert_ce_default_activation_function: IDENTITY }),
      'regression',
    ],
    [
      'with none, as in the file of sentence-transformers',
      folderOf(
        { sentence_transformers: { activation_fn: SIGMOID } },
        { [OWN]: { activation_fn: IDENTITY } },
      ),
      'regression',
    ],
    ['of a regression', folderOf({ problem_type: 'regression' }), undefined],
  ] as const) {
    test(`${what} is read ${problemType === undefined ? 'by a sigmoid' : 'as it is'}`, async () => {
      const description = await descriptionOf(files);
      assert.equal(description.task, 'rerank');
      assert.equal(description.problemType, problemType);
    });
  }
});
