/** @module Uses the playground in a browser without a window: every panel, by keyboard, on a phone, in light and dark. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { ServiceChild } from '../support/child.ts';
import { stateFolder } from '../support/store.ts';
import { accessibilityFindings, faultsOf, launch, openPanel, runPanel, skip } from './browser.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));

/** The demonstration models, and small ones for the panels that none of those suits. */
const MODELS: Readonly<Record<string, string>> = {
  diabetes: 'models/diabetes',
  iris: 'models/iris',
  'pair.onnx': 'test/fixtures/models/two-in-two-out.onnx',
  minilm: 'models/minilm',
  ner: 'models/ner',
  nli: 'test/fixtures/text/roberta-nli',
  sentiment: 'models/sentiment',
  t5: 'test/fixtures/text/t5',
};

let folder: string;
let child: ServiceChild;
let browser: Browser | undefined;
let state: Awaited<ReturnType<typeof stateFolder>>;
let page: Page;
let origin: string;
let predictionOrigin: string;
let inferenceOrigin: string;
let faults: string[];

before(async () => {
  if (skip) return;
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-playground-'));
  for (const [name, from] of Object.entries(MODELS)) {
    symlinkSync(path.join(top, from), path.join(folder, name));
  }
  state = await stateFolder();
  child = new ServiceChild('services/main.ts', {
    ...{ PORT: '0', SERVICE: 'all', MODEL_PATH: folder, STATE_DIR: state.path },
  });
  const { ports } = (await child.line('ready')) as { ports: Record<string, number> };
  const originOf = (name: string) => `http://127.0.0.1:${ports[name]}`;
  origin = originOf('nlp');
  predictionOrigin = originOf('prediction');
  inferenceOrigin = originOf('inference');
  browser = await launch();
  page = await browser.newPage();
  faults = faultsOf(page, () => [origin, predictionOrigin, inferenceOrigin]);
});

after(async () => {
  if (skip) return;
  // After a failed start there is no browser, but the server must end.
  await browser?.close();
  await child[Symbol.asyncDispose]();
  state[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

const open = (panel: string, from = origin): Promise<void> => openPanel(page, from, panel);

const run = (): Promise<string> => runPanel(page);

/** Sets the value of a field. A number may then be one that the field itself does not allow. */
const fill = (name: string, value: string) =>
  page.$eval(
    `#field-${name}`,
    (element, text) => {
      const field = element as HTMLInputElement;
      field.min = '';
      field.value = text;
    },
    value,
  );

const PANELS: Readonly<Record<string, RegExp>> = {
  sentiment: /POSITIVE.*0\.9/s,
  ner: /Apple Inc\. ORG.*Cupertino LOC/s,
  'zero-shot': /sport/,
  summarize: /Written by the model|Chosen from the text/,
  embed: /A man is eating food\..*1\.00.*384 numbers/s,
  rerank: /^Paris is the capital of France\./,
  tokens: /token.*##izer.*11 tokens/s,
  generate: /\S/,
};

describe('panels', { skip }, () => {
  for (const [name, expected] of Object.entries(PANELS)) {
    test(`${name} shows what the service answers, and nothing keeps people from using it`, async () => {
      await open(name);
      assert.match(await run(), expected);
      assert.deepEqual(await accessibilityFindings(page), []);
      assert.deepEqual(faults.splice(0), []);
    });
  }

  test('predict opens on the default model, with a named field and a value for each feature', async () => {
    await open('predict', predictionOrigin);
    await page.waitForSelector('#field-feature-3');
    const labels = () =>
      page.$$eval('label', (found) => found.map((element) => element.textContent ?? ''));
    assert.deepEqual(await labels(), [
      ...['Model', 'sepal_length_cm', 'sepal_width_cm', 'petal_length_cm', 'petal_width_cm'],
    ]);
    assert.match(await run(), /setosa/);
    await page.select('#field-model', 'diabetes');
    await page.waitForSelector('#field-feature-9');
    assert.ok((await labels()).includes('body_mass_index'));
    assert.ok(Number(await run()) > 100);
  });

  test('predict takes the row of a model of several inputs as an object', async () => {
    await open('predict', predictionOrigin);
    await page.select('#field-model', 'pair');
    await page.waitForSelector('#field-features');
    await fill('features', '{"a": [1, 2], "b": [3, 4]}');
    assert.match(await run(), /^12/, 'the product of b');
  });

  test('infer shows the tensors of a row that the default model takes', async () => {
    await open('infer', inferenceOrigin);
    assert.match(await run(), /probabilities FP32 \[1, 3\]0\.98/);
    assert.deepEqual(await accessibilityFindings(page), []);
    assert.deepEqual(faults.splice(0), []);
  });

  test('predict sends what its fields hold', async () => {
    await open('predict', predictionOrigin);
    await page.waitForSelector('#field-feature-3');
    for (const [i, value] of ['6.7', '3.0', '5.2', '2.3'].entries()) {
      await fill(`feature-${i}`, value);
    }
    assert.match(await run(), /virginica/);
    assert.deepEqual(await accessibilityFindings(page), []);
    assert.deepEqual(faults.splice(0), []);
  });

  test('a panel without a model says what to do', async () => {
    await open('sentiment', predictionOrigin);
    // The prediction service has no such panel, so its first one is open.
    assert.match(await page.$eval('h2', (element) => element.textContent ?? ''), /Prediction/);
  });
});

describe('a response', { skip }, () => {
  test('comes with its times, its batch, and the command that does the same', async () => {
    await open('sentiment');
    await run();
    const times = await page.$eval('.times', (element) => element.textContent ?? '');
    assert.match(times, /Queue.*ms.*Run.*ms.*Rows in the batch1 of at most/s);
    const command = await page.$eval('pre', (element) => element.textContent ?? '');
    assert.match(command, /^curl http:.*\/analyze\/sentiment/);
    assert.match(command, /"text":"This product is amazing!"/);
  });

  test('that is an error is the sentence of the server', async () => {
    await open('ner');
    await fill('threshold', '-1');
    await page.click('button[type=submit]');
    await page.waitForSelector('[role=alert]');
    const said = await page.$eval('[role=alert]', (element) => element.textContent ?? '');
    assert.match(said, /threshold/);
    faults.length = 0;
  });

  test('of a stream comes in pieces, and can be stopped', async () => {
    await open('generate');
    await fill('max_tokens', '4000');
    await fill('temperature', '3');
    await page.click('button[type=submit]');
    await page.waitForFunction(() => (document.querySelector('.stream')?.textContent ?? '') !== '');
    const before = await page.$eval('.output', (element) => element.textContent?.length ?? 0);
    assert.ok(before > 0);
    await page.click('button[type=button]');
    await page.waitForFunction(
      () =>
        document.querySelector('.output')?.textContent?.includes('stopped') === true ||
        document.querySelector('.times dd') !== null,
    );
    faults.length = 0;
  });
});

test('every panel can be used with the keyboard alone', { skip }, async () => {
  await open('sentiment');
  await page.waitForSelector('form');
  const focused = () =>
    page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent);
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to the panel');
  const reached: unknown[] = [];
  for (let i = 0; i < 20 && reached.at(-1) !== 'field-text'; i += 1) {
    await page.keyboard.press('Tab');
    reached.push(await focused());
  }
  assert.ok(reached.includes('to-ner'), reached.join(', '));
  await page.keyboard.down('Control');
  await page.keyboard.press('Enter');
  await page.keyboard.up('Control');
  await page.waitForSelector('.times dd');
  assert.match(await page.$eval('.output', (element) => element.textContent ?? ''), /POSITIVE/);
});

describe('a phone of 375 pixels', { skip }, () => {
  for (const scheme of ['light', 'dark']) {
    test(`in ${scheme} colours scrolls in one direction, and its contrasts suffice`, async () => {
      await page.setViewport({ width: 375, height: 812 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      for (const name of ['ner', 'embed', 'sentiment']) {
        await open(name);
        await run();
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 375, `${name} is ${width} pixels wide`);
        assert.deepEqual(await accessibilityFindings(page), [], name);
      }
    });
  }
});
