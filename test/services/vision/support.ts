/** @module The vision service without a port, on the real engine, with models that are made here. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { openEngine } from '../../../native/index.ts';
import {
  type Config,
  createLog,
  createRuntime,
  type Runtime,
  readConfig,
} from '../../../runtime/index.ts';
import { createServiceApp, type ServiceApp } from '../../../services/http/create-service-app.ts';
import { services } from '../../../services/services.ts';
import { vision } from '../../../services/vision/index.ts';
import { type Files, temporaryFiles } from '../../support/files.ts';
import { FLOAT, input, model, node, output } from '../../support/onnx.ts';
import { root } from '../support.ts';

/** A graph whose scores are the means of the channels, 0 to 1. */
const meanColors = () =>
  model([
    node('GlobalAveragePool', ['pixel_values'], ['pooled']),
    node('Flatten', ['pooled'], ['logits']),
    input('pixel_values', FLOAT, ['batch', 3, 'height', 'width']),
    output('logits', FLOAT, ['batch', 3]),
  ]);

/** Preprocessing that only resizes, so that results can be calculated. */
const PLAIN = {
  image_processor_type: 'ViTImageProcessor',
  do_resize: true,
  size: { height: 8, width: 8 },
  resample: 2,
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: false,
};

/** The files of a classifier whose logits are the mean red, green and blue. */
export const colorClassifier = (more: Files = {}): Files => ({
  'config.json': JSON.stringify({
    architectures: ['ViTForImageClassification'],
    model_type: 'vit',
    id2label: { 0: 'red', 1: 'green', 2: 'blue' },
  }),
  'preprocessor_config.json': JSON.stringify(PLAIN),
  'onnx/model.onnx': meanColors(),
  ...more,
});

/** The same graph as an encoder of images, whose vectors are the mean colours. */
export const colorEncoder = (more: Files = {}): Files => ({
  ...colorClassifier(),
  'model.json': JSON.stringify({ task: 'image-feature-extraction' }),
  ...more,
});

/** The files of a folder of `test/fixtures/vision`. */
export function fixtureFiles(name: string): Files {
  const folder = path.join(root, 'test/fixtures/vision', name);
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = names.filter((file) => path.extname(file) !== '');
  return Object.fromEntries(
    files.map((file) => [file, new Uint8Array(readFileSync(path.join(folder, file)))]),
  );
}

export interface VisionService extends AsyncDisposable {
  readonly app: ServiceApp;
  readonly runtime: Runtime;
  post(
    path: string,
    body: BodyInit | object,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Response>;
  /** The JSON of a response whose status must be 200. */
  ask<T = Record<string, unknown>>(path: string, body: BodyInit | object): Promise<T>;
}

/** @param folders The files of each model. */
export async function openVision(
  folders: Readonly<Record<string, Files>>,
  settings: Partial<Config> = {},
): Promise<VisionService> {
  const files = Object.entries(folders).flatMap(([name, each]) =>
    Object.entries(each).map(([file, content]) => [`${name}/${file}`, content] as const),
  );
  const folder = temporaryFiles(Object.fromEntries(files));
  const env = { MODEL_PATH: folder.path, PORT: '0' };
  const config = { ...readConfig(services, { argv: [], env, cwd: folder.path }), ...settings };
  const engine = openEngine();
  const runtime = await createRuntime(config, engine, { log: createLog('silent') });
  const app = createServiceApp(runtime, vision);
  const post: VisionService['post'] = async (path, body, headers = {}) => {
    const isObject = Object.getPrototypeOf(body) === Object.prototype;
    return app.request(path, {
      method: 'POST',
      body: isObject ? JSON.stringify(body) : (body as BodyInit),
      headers: { ...(isObject ? { 'Content-Type': 'application/json' } : {}), ...headers },
    });
  };
  return {
    app,
    runtime,
    post,
    async ask<T>(path: string, body: BodyInit | object) {
      const response = await post(path, body);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return JSON.parse(text) as T;
    },
    async [Symbol.asyncDispose]() {
      await runtime.drain();
      await runtime.close();
      await engine.close();
      folder[Symbol.dispose]();
    },
  };
}

/** An image of one colour. */
export const plainImage = (
  background: string,
  format: 'png' | 'jpeg' | 'webp' = 'png',
  { width = 24, height = 16 } = {},
): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background } })
    .toFormat(format)
    .toBuffer();

/** A form with these images, and fields. */
export function formOf(
  images: readonly Uint8Array[],
  fields: Readonly<Record<string, string | readonly string[]>> = {},
): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    for (const each of [value].flat()) form.append(name, each as string);
  }
  for (const image of images) form.append('image', new Blob([new Uint8Array(image)]), 'photo.png');
  return form;
}

export const dataUrl = (image: Uint8Array, type = 'image/png'): string =>
  `data:${type};base64,${Buffer.from(image).toString('base64')}`;
