/** @module Uses the panels of the playground for pictures with models of the vision service. */

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { ServiceChild } from '../support/child.ts';
import {
  accessibilityFindings,
  choosePicture,
  faultsOf,
  launch,
  openPanel,
  runPanel,
  skip,
  slide,
} from './browser.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const PICTURE = path.join(top, 'test/fixtures/vision/images/wide.png');
const MODELS = ['vit', 'yolo-v5', 'detr', 'segformer', 'vit-features'];

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
interface Detection {
  readonly box: Box;
  readonly class: string;
  readonly confidence: number;
}
interface Mask {
  readonly size: readonly [height: number, width: number];
  readonly counts: readonly number[];
}

let folder: string;
let child: ServiceChild;
let origin: string;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'millrace-playground-'));
  for (const name of MODELS) {
    symlinkSync(path.join(top, 'test/fixtures/vision', name), path.join(folder, name));
  }
  child = new ServiceChild('services/main.ts', {
    ...{ PORT: '0', SERVICE: 'vision', MODEL_PATH: folder },
  });
  origin = `http://127.0.0.1:${await child.port()}`;
});

after(async () => {
  await child[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** What the service answers to the picture. */
async function ask(route: string, options: Readonly<Record<string, string>>): Promise<unknown> {
  const form = new FormData();
  form.append('image', new File([readFileSync(PICTURE)], 'wide.png', { type: 'image/png' }));
  for (const [name, value] of Object.entries(options)) form.append(name, value);
  const response = await fetch(`${origin}${route}`, { method: 'POST', body: form });
  assert.equal(response.status, 200);
  return response.json();
}

const detect = async (options: Readonly<Record<string, string>>): Promise<readonly Detection[]> => {
  const answer = (await ask('/detect', options)) as { detections: readonly Detection[] };
  return answer.detections;
};

describe('in a browser', { skip }, () => {
  let browser: Browser;
  let page: Page;
  let faults: string[];

  before(async () => {
    if (skip) return;
    browser = await launch();
    page = await browser.newPage();
    faults = faultsOf(page, () => [origin]);
  });
  after(() => browser?.close());

  /** Opens a panel with the picture. */
  async function open(panel: string, model: string): Promise<void> {
    await openPanel(page, origin, panel);
    await choosePicture(page, PICTURE);
    await page.select('#field-model', model);
  }

  async function assertUsable(): Promise<void> {
    assert.deepEqual(await accessibilityFindings(page), []);
    assert.deepEqual(faults.splice(0), []);
  }

  test('classes are those of the response', async () => {
    await open('classify', 'vit');
    const { predictions } = (await ask('/classify', { model: 'vit' })) as {
      predictions: { class: string; confidence: number }[];
    };
    const said = await runPanel(page);
    for (const { class: name, confidence } of predictions) {
      assert.ok(said.includes(`${name}${confidence.toFixed(3)}`), `${said} has ${name}`);
    }
    await assertUsable();
  });

  for (const model of ['yolo-v5', 'detr']) {
    test(`boxes of ${model} are at first those that the service chooses by default`, async () => {
      await open('detect', model);
      await runPanel(page);
      const rows = () =>
        page.$$eval('.sides tbody tr', (found) => found.map((each) => each.textContent));
      const rowsOf = (detections: readonly Detection[]) =>
        detections.map(({ box, class: name, confidence }) => {
          const [x, y, width, height] = [box.x, box.y, box.width, box.height].map(Math.round);
          return `${name}${confidence.toFixed(3)}${x}, ${y}${width} × ${height}`;
        });
      const expected = rowsOf(await detect({ model }));
      assert.ok(expected.length > 0);
      assert.deepEqual(await rows(), expected);
      await slide(page, 'threshold', 0.1);
      assert.deepEqual(await rows(), rowsOf(await detect({ model, threshold: '0.1' })));
      await assertUsable();
    });
  }

  test('boxes of a photo that is stored on its side lie on the photo as the browser shows it', async () => {
    await openPanel(page, origin, 'detect');
    await choosePicture(page, path.join(top, 'test/fixtures/images/files/orientation-6.jpg'));
    await page.select('#field-model', 'detr');
    await runPanel(page);
    const [shown, frame] = await page.$eval('.frame', (element) => {
      const { naturalWidth, naturalHeight } = element.querySelector('img')!;
      return [`${naturalWidth} / ${naturalHeight}`, (element as HTMLElement).style.aspectRatio];
    });
    // The proportions of the frame are those of the image that the service has seen.
    assert.equal(frame, shown);
    const [width, height] = shown!.split(' / ').map(Number);
    assert.ok(width !== height);
    await assertUsable();
  });

  test('boxes of a file that the browser cannot show are drawn and listed all the same', async () => {
    await openPanel(page, origin, 'detect');
    const input = await page.waitForSelector<'input[type=file]'>('input[type=file]');
    await input!.uploadFile(path.join(top, 'test/fixtures/images/files/icc.tiff'));
    await page.waitForFunction(() =>
      document.querySelector('.previews')?.textContent?.includes('this browser cannot show it'),
    );
    await page.select('#field-model', 'detr');
    await runPanel(page);
    await page.waitForSelector('.frame img[alt="icc.tiff, which this browser cannot show"]');
    await slide(page, 'threshold', 0.05);
    const [frame, rows] = await page.$eval('.sides', (element) => [
      element.querySelector('.frame')!.getBoundingClientRect().height,
      element.querySelectorAll('tbody tr').length,
    ]);
    assert.ok(frame! > 100);
    assert.ok(rows! > 0);
    assert.equal((await page.$$('.box')).length, rows);
    await assertUsable();
  });

  test('masks cover the pixels of the response', async () => {
    await open('segment', 'segformer');
    await runPanel(page);
    const { segments } = (await ask('/segment', { model: 'segformer', format: 'rle' })) as {
      segments: { mask: Mask }[];
    };
    const [height, width] = segments[0]!.mask.size;
    const expected = new Array<number>(width * height).fill(0);
    for (const { mask } of segments) {
      const column = mask.counts.flatMap((count, i) => new Array<number>(count).fill(i % 2));
      for (const [i, bit] of column.entries()) {
        if (bit === 1) expected[(i % height) * width + Math.floor(i / height)] = 1;
      }
    }
    const drawn = await page.$eval('.sides canvas', (element) => {
      const { width, height } = element as HTMLCanvasElement;
      const { data } = (element as HTMLCanvasElement)
        .getContext('2d')!
        .getImageData(0, 0, width, height);
      return Array.from({ length: width * height }, (_, i) => Number(data[4 * i + 3]! > 0));
    });
    assert.deepEqual(drawn, expected);
    await assertUsable();
  });

  test('pictures are as similar as their vectors', async () => {
    await openPanel(page, origin, 'embed-image');
    await choosePicture(page, PICTURE, path.join(top, 'test/fixtures/vision/images/high.png'));
    const said = await runPanel(page);
    const value = /1 wide\.png1\.00(-?[01]\.\d\d)2 high/.exec(said)?.[1];
    assert.ok(said.endsWith(`2 high.png${value}1.00Vectors of 24 numbers.`), said);
    await assertUsable();
  });
});
