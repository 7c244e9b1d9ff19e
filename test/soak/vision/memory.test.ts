/**
 * Images of every format, whole and broken, for an hour: resident memory does not grow. `SOAK_SECONDS` sets another time, for
 * which the limit is more than a slope can show.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from '../../services/support.ts';
import {
  colorClassifier,
  colorEncoder,
  dataUrl,
  formOf,
  openVision,
  type VisionService,
} from '../../services/vision/support.ts';
import { slopeOf } from '../check.ts';
import { releaseFreeMemory } from '../memory.ts';

const seconds = Number(process.env.SOAK_SECONDS ?? 3600);
const SAMPLE_MS = 10_000;
/** The share of the samples that are warm-up: every decoder is used for the first time. */
const WARM_UP = 0.2;
const CLIENTS = 4;
const HOUR = 3600;
const MAX_BYTES_PER_HOUR = 1024 * 1024;

const folder = path.join(root, 'test/fixtures/images');
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(?:jpg|png|webp|avif|gif|tiff?)$/.test(name))
  .map((name) => new Uint8Array(readFileSync(path.join(folder, name))));

/** Sends the file in one of the forms that bodies have, whole or cut off; returns whether the status is as it has to be. */
async function send({ post }: VisionService, turn: number): Promise<boolean> {
  const file = files[turn % files.length]!;
  const isBroken = turn % 5 === 4;
  const image = isBroken ? file.subarray(0, Math.floor(file.length / 2)) : file;
  const route = turn % 7 === 6 ? '/embed-image' : '/classify';
  const form = [
    () => post(route, formOf([image, image])),
    () => post(route, { image: dataUrl(image) }),
    () => post(route, new Blob([image]), { 'Content-Type': 'image/jpeg' }),
  ][turn % 3]!;
  const response = await form();
  await response.arrayBuffer();
  return isBroken ? response.status === 400 || response.ok : response.ok;
}

test(`images of every format for ${seconds} s do not raise memory`, async () => {
  assert.ok(files.length > 30);
  await using service = await openVision({ colors: colorClassifier(), encoder: colorEncoder() });
  const started = performance.now();
  const until = started + seconds * 1000;
  const samples: [number, number][] = [];
  let turn = 0;
  let wrong = 0;
  while (performance.now() < until) {
    const end = Math.min(performance.now() + SAMPLE_MS, until);
    const client = async () => {
      while (performance.now() < end) {
        turn += 1;
        if (!(await send(service, turn))) wrong += 1;
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    Bun.gc(true);
    releaseFreeMemory();
    samples.push([(performance.now() - started) / 1000, process.memoryUsage.rss()]);
  }
  assert.equal(wrong, 0);
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const perHour = slopeOf(warm) * HOUR;
  const [first, last] = [warm[0]![1], warm.at(-1)![1]];
  console.log(JSON.stringify({ requests: turn, perHour: Math.round(perHour), first, last }));
  // In less than an hour the noise of single samples is more than the limit.
  const allowed = MAX_BYTES_PER_HOUR * Math.max(HOUR / seconds, 1) ** 2;
  assert.ok(perHour <= allowed, `memory grows by ${Math.round(perHour)} bytes an hour`);
});
