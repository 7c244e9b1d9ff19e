/** @module Operations on images with models of fixed weights, on the real engine. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openEngine } from '../../../../native/index.ts';
import type { ImageModel } from '../../../../runtime/image/index.ts';
import { loadVersion } from '../../../../runtime/load-version.ts';
import type { ModelVersion } from '../../../../runtime/model.ts';
import { Repository } from '../../../../runtime/repository/index.ts';
import type { Detection } from '../../../../runtime/tasks/image/detect.ts';
import type {
  ImageInput,
  ImageOperation,
  ImageTools,
  ImageWaiter,
} from '../../../../runtime/tasks/image/operation.ts';
import { versionSource } from '../../../../runtime/version-source.ts';
import { loading } from '../../../support/loading.ts';
import { openDecoder } from '../../image/decode/support.ts';

const FIXTURES = 'test/fixtures/vision';
const SETTINGS = { device: 'cpu', engineCache: '', batchSize: undefined };

/** Pictures of the references. */
export const PICTURES = ['wide.png', 'high.png'] as const;

export interface ImageModels extends AsyncDisposable {
  readonly tools: ImageTools;
  model(name: string): ImageModel;
  /** Does something with images, as a route does. */
  ask<Input extends ImageInput, Context, Output>(
    operation: ImageOperation<Input, Context, Output>,
    name: string,
    input: Input,
    waiter?: ImageWaiter,
  ): Promise<Output>;
}

/** Loads models of the fixtures. The caller declares them with `await using`, or disposes of them. */
export async function openImageModels(names: readonly string[]): Promise<ImageModels> {
  const engine = openEngine();
  const opened = loading(engine);
  const { models } = await (await Repository.open(FIXTURES)).scan();
  const versions = new Map<string, ModelVersion>();
  for (const name of names) {
    const folder = models.find((each) => each.name === name);
    assert.ok(folder, `there is no folder ${name}`);
    const source = await versionSource(folder, folder.versions[0]!, SETTINGS);
    versions.set(name, await loadVersion(opened, source));
  }
  const tools: ImageTools = {
    decoder: openDecoder(),
    images: engine.images,
  };
  const model = (name: string) => {
    const { image } = versions.get(name)!;
    assert.ok(image, `${name} does not take images`);
    return image;
  };
  return {
    tools,
    model,
    async ask(operation, name, input, waiter = { timeLeft: () => undefined }) {
      const image = model(name);
      const { runs, outputs, context } = await operation.prepare(image, input, tools, waiter);
      const version = versions.get(name)!;
      const results = await Promise.all(runs.map((inputs) => version.run(inputs, { outputs })));
      return operation.answer(image, results, context, tools, waiter);
    },
    async [Symbol.asyncDispose]() {
      for (const version of versions.values()) await version.close();
      await opened.tokenizers.close();
      await engine.close();
    },
  };
}

/** Pictures as those of a request. */
export const imagesOf = (names: readonly string[]) => ({
  images: names.map((name) => readFileSync(path.join(FIXTURES, 'images', name))),
  placeOf: (index: number) => `images[${index}]`,
});

/** What a library has made of the pictures, by name. */
export function expectedOf<Expected>(name: string): Readonly<Record<string, Expected>> {
  return JSON.parse(readFileSync(path.join(FIXTURES, name, 'expected.json'), 'utf8')).images;
}

export interface ExpectedDetection {
  readonly class: string;
  readonly confidence: number;
  readonly corners: readonly [number, number, number, number];
}

/** Asserts that these are the detections of a reference, whose order may differ where scores are equal. */
export function assertDetections(
  detections: readonly Detection[],
  expected: readonly ExpectedDetection[],
  { pixels, score }: { readonly pixels: number; readonly score: number },
  about: string,
): void {
  const listed = (list: readonly { readonly class: string; readonly confidence: number }[]) =>
    list.map((each) => `${each.class} ${each.confidence.toFixed(4)}`).join(', ');
  assert.equal(
    detections.length,
    expected.length,
    `${about}: ${listed(detections)}; expected ${listed(expected)}`,
  );
  const left = [...expected];
  for (const { box, class: name, confidence } of detections) {
    const corners = [box.x, box.y, box.x + box.width, box.y + box.height];
    const at = left.findIndex(
      (each) =>
        each.class === name &&
        Math.abs(each.confidence - confidence) <= score &&
        each.corners.every((corner, i) => Math.abs(corner - corners[i]!) <= pixels),
    );
    assert.notEqual(at, -1, `${about}: no ${name} ${confidence} at ${corners.join(', ')}`);
    left.splice(at, 1);
  }
}

/** The masks as 0 and 1 down the columns, from COCO's counts. */
export function flatMask(counts: Iterable<number>): Uint8Array {
  const flat: number[] = [];
  let value = 0;
  for (const count of counts) {
    for (let i = 0; i < count; i += 1) flat.push(value);
    value = 1 - value;
  }
  return Uint8Array.from(flat);
}

/** The pixels of both masks by those of either. */
export function overlapOf(a: Uint8Array, b: Uint8Array): number {
  assert.equal(a.length, b.length);
  let both = 0;
  let either = 0;
  for (let i = 0; i < a.length; i += 1) {
    both += a[i]! & b[i]!;
    either += a[i]! | b[i]!;
  }
  return either === 0 ? 1 : both / either;
}
