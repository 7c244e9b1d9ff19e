/** @module Runs the commands of the sections of services/nlp/README.md that are guides, each in their order. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/until.ts';
import { blocks, MODEL_TOLERANCE } from './documents.ts';
import { sectionOf, testGuide } from './guide.ts';

const document = 'services/nlp/README.md';
const guide = { document, port: 8002, tolerance: MODEL_TOLERANCE } as const;
const GENERATE = 'Generate text';

/** Checks that the events have the same text and the same end. How many tokens an event has depends on the time. */
function checkStream(output: string): void {
  const read = (text: string) => {
    const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!));
    return [events.map(({ text_output }) => text_output).join(''), events.at(-1)];
  };
  const section = sectionOf(document, GENERATE);
  const shown = blocks(section, 'text').find((block) => block.startsWith('data: '))!;
  assert.deepEqual(read(output), read(shown));
}

testGuide({ ...guide, section: 'Serve a model from Hugging Face' }, ({ commands, run }) =>
  test('a model.json beside the folder takes effect', async () => {
    const embed = commands.find((command) => command.includes('/embed'))!;
    const isHit = async () =>
      /^x-cache: hit/im.test(await run(embed.replace('curl -s', 'curl -si')));
    await until(isHit, 'responses are cached');
  }),
);

testGuide({ ...guide, section: GENERATE, checkStream });
