/** @module Uses the panels of the playground for pictures in a browser without a window, on recorded responses. */

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import {
  accessibilityFindings,
  choosePicture,
  faultsOf,
  launch,
  openPanel,
  runPanel,
  skip,
  slide,
  textOf,
} from './browser.ts';
import {
  DETECTIONS,
  type Received,
  type RecordedVision,
  recordedVision,
  SIZE,
} from './recorded-vision.ts';

const PHOTO = fileURLToPath(new URL('../fixtures/images/files/baseline.jpg', import.meta.url));

let service: RecordedVision;
let browser: Browser;
let page: Page;
let faults: string[];

before(async () => {
  if (skip) return;
  service = await recordedVision();
  browser = await launch(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']);
  page = await browser.newPage();
  faults = faultsOf(page, () => [service.origin]);
});

after(async () => {
  await browser?.close();
  await service?.[Symbol.asyncDispose]();
});

beforeEach(() => {
  if (skip) return;
  service.received();
  faults.length = 0;
});

const open = (panel: string) => openPanel(page, service.origin, panel);
const run = () => runPanel(page);

/** Gives the page a picture of the size of the responses, in the way that people do. */
const give = (how: 'drop' | 'paste', name = 'cats.png', type = 'image/png'): Promise<void> =>
  page.evaluate(
    async (kind, fileName, fileType, { width, height }) => {
      const canvas = document.createElement('canvas');
      canvas.width = width;
      canvas.height = height;
      const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
      const data = new DataTransfer();
      data.items.add(new File([blob!], fileName, { type: fileType }));
      const options = { bubbles: true, cancelable: true };
      const event =
        kind === 'drop'
          ? new DragEvent('drop', { ...options, dataTransfer: data })
          : new ClipboardEvent('paste', { ...options, clipboardData: data });
      document.querySelector('main')!.dispatchEvent(event);
    },
    how,
    name,
    type,
    SIZE,
  );

/** The boxes that are drawn, the best last, in pixels of the image. */
const boxes = (side = 1) =>
  page.$$eval(
    `.sides > :nth-child(${side}) .box`,
    (found, { width, height }) =>
      found.map((element) => {
        const frame = element.parentElement!.getBoundingClientRect();
        const place = element.getBoundingClientRect();
        const round = (value: number) => Math.round(value * 2) / 2;
        return {
          label: element.textContent,
          x: round(((place.x - frame.x) * width) / frame.width),
          y: round(((place.y - frame.y) * height) / frame.height),
          width: round((place.width * width) / frame.width),
          height: round((place.height * height) / frame.height),
        };
      }),
    SIZE,
  );
const labels = async (side?: number) => (await boxes(side)).map(({ label }) => label).reverse();
const status = () => textOf(page, '.output + [role=status]');

/** The colour of a pixel of the masks, with its opacity. */
const pixel = (x: number, y: number, side = 1): Promise<number[]> =>
  page.$eval(
    `.sides > :nth-child(${side}) canvas`,
    (element, left, top) => {
      const copy = new OffscreenCanvas(1, 1).getContext('2d')!;
      copy.drawImage(element as HTMLCanvasElement, -left, -top);
      return [...copy.getImageData(0, 0, 1, 1).data];
    },
    x,
    y,
  );

async function assertUsable(): Promise<void> {
  assert.deepEqual(await accessibilityFindings(page), []);
  assert.deepEqual(faults.splice(0), []);
}

describe('a picture', { skip }, () => {
  test('that is chosen is shown, sent, and classified, with the command that does the same', async () => {
    await open('classify');
    await choosePicture(page, PHOTO);
    await page.waitForFunction(() =>
      document.querySelector('.previews small')?.textContent?.includes('35 × 21'),
    );
    assert.match(await run(), /^tabby.*tiger cat.*0\.200/s);
    const [request] = service.received();
    assert.deepEqual(request!.images, [{ name: 'baseline.jpg', bytes: statSync(PHOTO).size }]);
    assert.deepEqual(request!.options, { top_k: '5', model: 'classifier' });
    const command = await textOf(page, 'pre');
    assert.match(command, /^curl http:.*\/classify \\\n +-F image=@baseline\.jpg \\\n/);
    assert.match(await textOf(page, '.times'), /Run1\.5 ms.*batch3 of at most 8.*Versionv1/s);
    await assertUsable();
  });

  for (const how of ['drop', 'paste'] as const) {
    test(`is taken by ${how} anywhere on the page`, async () => {
      await open('classify');
      await give(how, 'a, "b".png');
      await page.waitForSelector('.previews img');
      assert.match(await textOf(page, '.pictures [role=status]'), /Added: a, "b"\.png/);
      assert.match(await textOf(page, 'pre'), /-F 'image=@"a, \\"b\\"\.png"'/);
      await run();
      assert.equal(service.received()[0]!.images.length, 1);
      await assertUsable();
    });
  }

  test('is taken with the camera', async () => {
    await open('classify');
    await page.click('.pictures button:last-of-type');
    await page.waitForSelector('dialog[open] button:not(:disabled)');
    await assertUsable();
    await page.waitForFunction(() => document.activeElement?.textContent === 'Take the picture');
    const stream = await page.$eval('video', (video) => {
      const found = (video as HTMLVideoElement).srcObject as MediaStream;
      Object.assign(globalThis, { stream: found });
      return found.active;
    });
    assert.ok(stream);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() =>
      document.querySelector('.previews')?.textContent?.includes('camera.jpg'),
    );
    assert.equal(await page.$('dialog'), null);
    const isOn = await page.evaluate(
      () => (globalThis as unknown as { stream: MediaStream }).stream.active,
    );
    assert.equal(isOn, false, 'the camera is switched off');
    await run();
    assert.ok(service.received()[0]!.images[0]!.bytes > 1000);
    await assertUsable();
  });

  test('is chosen otherwise where the page has no camera', async () => {
    await open('classify');
    await page.evaluate(() => {
      Object.defineProperty(navigator, 'mediaDevices', { value: undefined, configurable: true });
    });
    await page.click('.pictures button:last-of-type');
    assert.match(await textOf(page, '.pictures [role=status]'), /over HTTPS.*choose a file/);
  });

  test('is pasted by a button where the browser lets a page read the clipboard', async () => {
    await open('classify');
    const paste = async (expected: RegExp) => {
      await page.click('.pictures button:first-of-type');
      await page.waitForFunction(
        () => document.querySelector('.pictures [role=status]')?.textContent !== '',
      );
      assert.match(await textOf(page, '.pictures [role=status]'), expected);
    };
    const context = browser.defaultBrowserContext();
    await context.setPermission(service.origin, {
      permission: { name: 'clipboard-read' },
      state: 'denied',
    });
    await paste(/press Ctrl \+ V/);
    await context.overridePermissions(service.origin, [
      'clipboard-read',
      'clipboard-sanitized-write',
    ]);
    await open('classify');
    await page.evaluate(async () => {
      const canvas = document.createElement('canvas');
      const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
      await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob! })]);
    });
    await paste(/Added: pasted\.png/);
    await context.clearPermissionOverrides();
    await assertUsable();
  });

  test('is needed, and another file is none', async () => {
    await open('classify');
    await give('drop', 'notes.txt', 'text/plain');
    assert.match(await textOf(page, '.pictures [role=status]'), /notes\.txt is not a picture/);
    await page.click('button[type=submit]');
    const isMissing = await page.$eval('#field-image', (element) => element.matches(':invalid'));
    assert.ok(isMissing);
    assert.equal(service.received().length, 0);
  });

  test('that is broken gets the sentence of the server', async () => {
    await open('classify');
    await give('drop', 'broken.png');
    await page.click('button[type=submit]');
    await page.waitForSelector('[role=alert]');
    assert.equal(await textOf(page, '[role=alert]'), 'The image ends too early.');
    faults.length = 0;
  });

  test('is compared with others, and can be removed', async () => {
    await open('embed-image');
    await give('drop', 'a.png');
    await give('paste', 'b.png');
    await give('drop', 'c.png');
    await page.click('.previews li:last-child button');
    assert.match(await run(), /1 a\.png1\.000\.602 b\.png0\.601\.00Vectors of 2 numbers/);
    assert.deepEqual(
      service.received()[0]!.images.map(({ name }) => name),
      ['a.png', 'b.png'],
    );
    await assertUsable();
  });
});

describe('objects', { skip }, () => {
  let asked: readonly Received[];
  before(async () => {
    if (skip) return;
    await open('detect');
    await give('drop');
    service.received();
    await run();
    asked = service.received();
  });

  test('are asked for with a low threshold and without suppression', async () => {
    const [{ options }, ...more] = asked as [Received];
    assert.equal(more.length, 0);
    const { threshold, iou, max_detections } = options;
    assert.deepEqual([threshold, iou, max_detections], ['0.05', '1', '3000']);
    await assertUsable();
  });

  test('are drawn where the response says', async () => {
    const [dog, third, first] = await boxes();
    assert.deepEqual(first, { label: 'cat 0.90', ...DETECTIONS[0]!.box });
    assert.deepEqual(third, { label: 'cat 0.60', ...DETECTIONS[2]!.box });
    assert.deepEqual(dog, { label: 'dog 0.50', ...DETECTIONS[3]!.box });
    assert.match(await textOf(page, '.sides table'), /cat0\.90040, 30160 × 120/);
    assert.equal(await status(), 'Shown: 3 of 5 boxes.');
  });

  test('follow the sliders without another request', async () => {
    service.received();
    await slide(page, 'threshold', 0.05);
    assert.deepEqual(await labels(), ['cat 0.90', 'cat 0.60', 'dog 0.50', 'person 0.10']);
    await slide(page, 'threshold', 0.55);
    assert.deepEqual(await labels(), ['cat 0.90', 'cat 0.60']);
    await slide(page, 'iou', 1);
    assert.deepEqual(await labels(), ['cat 0.90', 'cat 0.80', 'cat 0.60']);
    await slide(page, 'iou', 0.3);
    assert.deepEqual(await labels(), ['cat 0.90']);
    assert.equal(await status(), 'Shown: 1 of 5 boxes.');
    assert.deepEqual(service.received(), []);
  });

  test('follow the classes, which have counts', async () => {
    await slide(page, 'threshold', 0.25);
    await slide(page, 'iou', 0.45);
    const counts = () =>
      page.$$eval('.toggles label:not([hidden])', (found) => found.map((each) => each.textContent));
    assert.deepEqual(await counts(), ['cat 2', 'dog 1']);
    await page.click('[data-class=cat] input');
    assert.deepEqual(await labels(), ['dog 0.50']);
    await slide(page, 'threshold', 0.05);
    assert.deepEqual(await counts(), ['cat 2', 'dog 1', 'person 1']);
    assert.deepEqual(await labels(), ['dog 0.50', 'person 0.10']);
    await page.click('[data-class=cat] input');
    assert.equal((await labels()).length, 4);
    assert.deepEqual(service.received(), []);
  });

  test('of two versions stand side by side, with what differs and the times of both', async () => {
    await page.select('#field-other', 'detector v2');
    await run();
    const [first, second, ...more] = service.received();
    assert.equal(more.length, 0);
    assert.deepEqual(first!.images, second!.images);
    assert.equal(first!.options.model_version, undefined);
    assert.equal(second!.options.model_version, 'v2');
    assert.deepEqual(await labels(1), ['cat 0.90', 'cat 0.60', 'dog 0.50']);
    assert.deepEqual(await labels(2), ['cat 0.75', 'bird 0.70']);
    const said = await textOf(page, '.output');
    assert.match(said, /same place: 1\. Only of detector: 2\. Only of detector v2: 1\./);
    assert.match(said, /difference of confidence is 0\.150 \(cat\)/);
    const times = await page.$$eval('.times', (found) => found.map((each) => each.textContent));
    const commands = await textOf(page, 'pre');
    assert.deepEqual(commands.match(/model_version=\w+/g), ['model_version=v2']);
    assert.equal(commands.match(/^curl/gm)!.length, 2);
    assert.match(times[0]!, /1\.5 ms.*Versionv1/);
    assert.match(times[1]!, /2\.5 ms.*Versionv2/);
    await slide(page, 'threshold', 0.72);
    assert.deepEqual(await labels(2), ['cat 0.75']);
    assert.match(await textOf(page, '.output'), /Only of detector: 0\. Only of detector v2: 0\./);
    await assertUsable();
  });

  test('of a model that chooses among them itself have no slider for overlaps', async () => {
    await page.select('#field-other', '(nothing)');
    await page.select('#field-model', 'detector v2');
    await run();
    assert.equal(await page.$('#view-iou'), null);
    assert.match(await textOf(page, '.output'), /chooses among boxes that overlap by itself/);
    assert.deepEqual(await labels(), ['cat 0.75', 'bird 0.70']);
  });
});

describe('masks', { skip }, () => {
  test('are drawn in colours, with toggles and an opacity', async () => {
    await open('segment');
    await give('drop');
    await run();
    assert.equal(service.received()[0]!.options.format, 'rle');
    const [sky, road, rest] = [await pixel(99, 299), await pixel(100, 0), await pixel(200, 150)];
    assert.deepEqual([sky[3], road[3], rest[3]], [255, 255, 0]);
    assert.notDeepEqual(sky, road);
    await page.click('[data-class=sky] input');
    assert.deepEqual([(await pixel(99, 299))[3], (await pixel(100, 0))[3]], [0, 255]);
    await slide(page, 'opacity', 0.25);
    assert.equal(await page.$eval('canvas', (each) => getComputedStyle(each).opacity), '0.25');
    assert.match(await status(), /1 of 2 masks/);
    assert.deepEqual(service.received(), []);
    await assertUsable();
  });

  test('of two versions stand side by side, with how far they agree', async () => {
    await page.select('#field-other', 'masks v2');
    await run();
    assert.equal((await pixel(99, 0, 1))[3], 255);
    assert.equal((await pixel(99, 0, 2))[3], 0);
    assert.match(await textOf(page, '.output'), /Agreement \(IoU\)sky0\.500road1\.000/);
    await assertUsable();
  });

  test('are not offered by the panel for boxes', async () => {
    await open('detect');
    const options = await page.$$eval('#field-model option', (all) =>
      all.map((each) => each.textContent),
    );
    assert.deepEqual(options, ['detector', 'detector v1', 'detector v2']);
  });
});

test('classes of two versions are compared', { skip }, async () => {
  await open('classify');
  await give('drop');
  await page.select('#field-model', 'classifier v1');
  await page.select('#field-other', 'classifier v2');
  const said = await run();
  assert.match(said, /They name different classes first/);
  assert.match(said, /0\.300 \(tiger cat\)\. In one list only: 1\./);
  await assertUsable();
});

test('everything can be done with the keyboard alone', { skip }, async () => {
  await open('detect');
  await page.waitForSelector('#field-image');
  const reach = async (wanted: string) => {
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press('Tab');
      const found = await page.evaluate(() => {
        const { activeElement: element } = document;
        return element?.id || element?.closest('[data-class]')?.getAttribute('data-class');
      });
      if (found === wanted) return;
    }
    assert.fail(`the Tab key does not reach ${wanted}`);
  };
  await reach('field-image');
  const chooser = page.waitForFileChooser();
  // Keys take another way to the page than commands. A command that the page has answered shows that the one before it,
  // which has the test asked for files, is in force; otherwise the key would open a real dialog.
  await page.evaluate(() => undefined);
  await page.keyboard.press('Space');
  await (await chooser).accept([PHOTO]);
  await page.waitForSelector('.previews img');
  await page.keyboard.down('Control');
  await page.keyboard.press('Enter');
  await page.keyboard.up('Control');
  await page.waitForSelector('.times dd');
  await reach('view-threshold');
  await page.keyboard.press('End');
  assert.equal(await status(), 'Shown: 0 of 5 boxes.');
  await page.keyboard.press('Home');
  assert.equal(await status(), 'Shown: 4 of 5 boxes.');
  await reach('cat');
  await page.keyboard.press('Space');
  assert.deepEqual(await labels(), ['dog 0.50', 'person 0.10']);
  assert.deepEqual(faults.splice(0), []);
});

describe('a phone of 375 pixels', { skip }, () => {
  for (const scheme of ['light', 'dark']) {
    test(`in ${scheme} colours scrolls in one direction, and its contrasts suffice`, async () => {
      await page.setViewport({ width: 375, height: 812 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      const check = async (name: string) => {
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 375, `${name} is ${width} pixels wide`);
        assert.deepEqual(await accessibilityFindings(page), [], name);
      };
      await page.goto(`${service.origin}/`);
      assert.equal(await textOf(page, 'h1'), 'Vision service');
      await check('the landing page');
      for (const [name, other] of [
        ['classify', 'classifier v2'],
        ['detect', 'detector v2'],
        ['segment', 'masks v2'],
      ] as const) {
        await open(name);
        await give('drop', `${'long'.repeat(20)}.png`);
        await page.select('#field-other', other);
        await run();
        await check(name);
      }
      assert.deepEqual(faults.splice(0), []);
    });
  }
});
