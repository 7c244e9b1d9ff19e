/**
 * The limit: sharp and ONNX Runtime without a server, in full batches, one pipeline for each core.
 *
 *     node raw.mjs MODEL.onnx FOLDER BATCH SECONDS
 *
 * Each worker decodes and resizes the next batch while it runs the one before. Prints the images per second as JSON.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import ort from 'onnxruntime-node';
import sharp from 'sharp';

/** Of photos of 640 × 480 the shorter side becomes 256, and the middle is cut out. */
const RESIZED = [341, 256];
const SIDE = 224;
const MEAN = 127;
const STD = 128;

async function work({ model, folder, batch, until }) {
  sharp.concurrency(1);
  sharp.cache(false);
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.jpg'))
    .map((name) => readFileSync(path.join(folder, name)));
  const session = await ort.InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const [input] = session.inputNames;
  const size = 3 * SIDE * SIDE;
  const decode = async (first) => {
    const planes = new Float32Array(batch * size);
    await Promise.all(
      Array.from({ length: batch }, async (_, row) => {
        const pixels = await sharp(files[(first + row) % files.length])
          .resize(...RESIZED, { fit: 'fill', kernel: 'cubic', fastShrinkOnLoad: false })
          .extract({ left: 58, top: 16, width: SIDE, height: SIDE })
          .removeAlpha()
          .raw()
          .toBuffer();
        const at = row * size;
        for (let i = 0, j = 0; j < pixels.length; i += 1, j += 3) {
          planes[at + i] = (pixels[j] - MEAN) / STD;
          planes[at + i + SIDE * SIDE] = (pixels[j + 1] - MEAN) / STD;
          planes[at + i + 2 * SIDE * SIDE] = (pixels[j + 2] - MEAN) / STD;
        }
      }),
    );
    return planes;
  };
  let images = 0;
  let next = decode(0);
  const started = performance.now();
  while (Date.now() < until) {
    const planes = await next;
    next = decode(images + batch);
    await session.run({ [input]: new ort.Tensor('float32', planes, [batch, 3, SIDE, SIDE]) });
    images += batch;
  }
  const rate = (images * 1000) / (performance.now() - started);
  await next;
  parentPort.postMessage(rate);
}

if (isMainThread) {
  const [model, folder, batch, seconds] = process.argv.slice(2);
  const until = Date.now() + Number(seconds) * 1000 + 1000;
  const data = { model, folder, batch: Number(batch), until };
  const rates = await Promise.all(
    Array.from(
      { length: availableParallelism() },
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { workerData: data });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  const sum = rates.reduce((all, rate) => all + rate, 0);
  console.log(JSON.stringify({ images_per_second: Number(sum.toFixed(1)) }));
  process.exit(0);
} else {
  await work(workerData);
}
