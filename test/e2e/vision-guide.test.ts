/** @module Runs the commands of the guide in services/vision/README.md, in their order. */

import { test } from 'node:test';
import { until } from '../support/until.ts';
import { testGuide } from './guide.ts';

testGuide(
  {
    document: 'services/vision/README.md',
    section: 'Serve a YOLO model',
    port: 8003,
    tolerance: 0.02,
  },
  ({ commands, run }) =>
    test('a model.json beside the file takes effect', async () => {
      const detect = commands.find((command) => command.includes('/detect'))!;
      const isNamed = async () => /"class":"plus"/.test(await run(detect));
      await until(isNamed, 'the labels of model.json are in the response');
    }),
);
