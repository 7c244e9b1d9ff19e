/** @module Loads the graph of a version that takes images. */

import type { Engine, ModelFile, Signature, Tensors } from '../native/index.ts';
import { ServeError } from './errors.ts';
import {
  fixedCanvas,
  type ImageDescription,
  type ImageModel,
  type ImageSettings,
  openImageModel,
  pixelOption,
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
  const pixels = pixelOption(image, file, settings);
  const inputs =
    pixels &&
    Object.fromEntries(
      Object.entries(pixels).map(([name, form]) => [name, { ...form, either: true }]),
    );
  const dimensions = openDimensions(image, file);
  const native = await loadGraph(engine, source, { inputs, dimensions });
  try {
    const graph = graphOf(native.signature, file);
    const opened = openImageModel(image, settings, graph, pixels);
    if (typeof opened !== 'string') {
      const { model, notes } = opened;
      const example = exampleImage(model);
      const media = { task: image.task, image: model, obstacle: undefined, example };
      return { native, media, notes };
    }
    // What `model.json` asks for has to work. What was only told by `config.json` need not.
    if (config.task !== undefined) throw new ServeError('INVALID_CONFIG', opened);
    return obstructed(native, image.task, opened, image.notes);
  } catch (error) {
    await native.close();
    throw error;
  }
}

/** What the session declares, with the metadata of the file. */
const graphOf = ({ inputs, outputs }: Signature, { metadata }: ModelFile) => ({
  ...{ inputs, outputs, metadata },
});

/**
 * Sizes for the dimensions of the input that the file leaves open, if every image is laid out in the same size: with them the
 * engine finds out whether the model can be batched, although it may run with no other size.
 */
function openDimensions(
  { preprocessing }: ImageDescription,
  { inputs }: ModelFile,
): Readonly<Record<string, number>> | undefined {
  const canvas = preprocessing && fixedCanvas(preprocessing);
  const image = inputs.find(({ dims }) => dims.length === 4);
  if (canvas === undefined || image === undefined) return undefined;
  const sizes = [undefined, 3, canvas.height, canvas.width];
  const open = image.symbols.flatMap((symbol, i) =>
    image.dims[i] === -1 && symbol !== '' && sizes[i] !== undefined
      ? [[symbol, sizes[i]] as const]
      : [],
  );
  const isRows = open.some(([symbol]) => symbol === image.symbols[0]);
  const dimensions = Object.fromEntries(open);
  const agrees = open.every(([symbol, size]) => dimensions[symbol] === size);
  return isRows || !agrees ? undefined : dimensions;
}

const exampleImage = ({ input }: ImageModel): Tensors =>
  blackImage(input, input.placement(TYPICAL.width, TYPICAL.height));
