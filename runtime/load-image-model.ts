/** @module Loads the graph of a version that takes images. */

import type { Engine, ModelFile, Signature, Tensors } from '../native/index.ts';
import { ServeError } from './errors.ts';
import {
  type ImageDescription,
  type ImageModel,
  type ImageSettings,
  imageLoadOptions,
  openImageModel,
} from './image/index.ts';
import { type Loaded, loadGraph, obstructed } from './load-graph.ts';
import { blackImage } from './tasks/image/encode-images.ts';
import type { VersionSource } from './version-source.ts';

/** The size of the image that warms a model which takes any. */
const TYPICAL = { width: 640, height: 480 } as const;

/** @throws {ServeError} `INVALID_CONFIG` if what the files say does not fit the graph; {MillraceError} as `Engine.load` */
export async function loadImageModel(
  engine: Engine,
  source: VersionSource,
  image: ImageDescription,
): Promise<Loaded> {
  const { config } = source;
  const file = await engine.inspect(source.path);
  const settings: ImageSettings = {
    ...{ output: config.output, threshold: config.threshold, iou: config.iou },
    ...{ topK: config.top_k, maxDetections: config.max_detections, background: config.background },
    decodes: config.input === 'image',
  };
  const options = imageLoadOptions(image, file, settings);
  const native = await loadGraph(engine, source, options);
  let opened: ReturnType<typeof openImageModel>;
  try {
    opened = openImageModel(image, settings, graphOf(native.signature, file), options);
    if (typeof opened !== 'string') {
      const { model, notes } = opened;
      const media = {
        task: image.task,
        image: model,
        obstacle: undefined,
        example: exampleImage(model),
      };
      return { native, media, notes };
    }
    // What `model.json` asks for has to work. What was only told by `config.json` need not.
    if (config.task !== undefined) throw new ServeError('INVALID_CONFIG', opened);
  } catch (error) {
    await native.close();
    throw error;
  }
  if (Object.keys(options).length === 0) return obstructed(native, image.task, opened, image.notes);
  // `/v2` serves the graph as the file declares it.
  await native.close();
  return obstructed(await loadGraph(engine, source), image.task, opened, image.notes);
}

/** What the session declares, with the metadata of the file. */
const graphOf = ({ inputs, outputs }: Signature, { metadata }: ModelFile) => ({
  ...{ inputs, outputs, metadata },
});

const exampleImage = ({ input }: ImageModel): Tensors =>
  blackImage(input, input.placement(TYPICAL.width, TYPICAL.height));
