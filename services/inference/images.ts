/**
 * Images over the protocol: where `model.json` says `"input": "image"`, a model takes encoded files as the elements of one BYTES
 * input, as an ensemble that decodes them does in Triton. Each element becomes a run, and the rows of the runs are joined.
 *
 * @module
 */

import {
  type BodyShare,
  encodeImages,
  type ImageModel,
  type ImageTools,
  type ImageWaiter,
  invalidArgument,
  type ModelVersion,
  type Prepared,
  packStrings,
  quote,
  type TensorSpec,
  type Tensors,
  unpackStrings,
} from '../../runtime/index.ts';
import { type DecodeBase64, imageOfText, MAX_IMAGES } from '../vision/intake/index.ts';
import type { ResponseForm } from './infer.ts';

/** Who sends images and waits for the response. */
export interface ImageSender extends ImageWaiter {
  /** Counts the memory of the files. */
  readonly share: BodyShare;
}

/** What images are decoded with, and for whom. */
export interface ImageReading {
  readonly tools: ImageTools;
  readonly sender: ImageSender;
  /** Whether the elements of an input were strings of JSON, which hold files in base64. */
  isText(input: string): boolean;
}

/** The description of images of a version, if it takes them as encoded files. */
export const decodedBy = ({ image }: ModelVersion): ImageModel | undefined =>
  image?.decodes === true ? image : undefined;

/**
 * The inputs and outputs as clients see them. A version that decodes images has one input with the name that the graph gives to
 * the image; the number of its elements is that of the rows of the outputs.
 */
export function shownSignature(version: ModelVersion): {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Whether dimension 0 is that of the rows that the server batches. */
  readonly batched: boolean;
} {
  const { inputs, outputs, batching } = version.signature;
  const image = decodedBy(version);
  if (image === undefined) return { inputs, outputs, batched: batching.enabled };
  const files: TensorSpec = { name: image.input.name, type: 'string', dims: [-1], symbols: [''] };
  const shown = outputs.map((each) =>
    hasRows(version, each) ? { ...each, dims: [-1, ...each.dims.slice(1)] } : each,
  );
  return { inputs: [files], outputs: shown, batched: false };
}

/**
 * Whether a request sends encoded files instead of the tensors of the graph, which are taken as well.
 *
 * @throws {ServeError} `MODEL_NOT_READY` for files if the version was to decode them and cannot
 */
export function sendsFiles(version: ModelVersion, { runs }: Prepared<unknown>): boolean {
  const image = decodedBy(version);
  if (image !== undefined) return runs[0]?.[image.input.name]?.type === 'string';
  if (version.config.input !== 'image') return false;
  const hasFiles = Object.values(runs[0] ?? {}).some(({ type }) => type === 'string');
  if (hasFiles) version.checkMedia();
  return false;
}

/**
 * Converts the files of a request to runs.
 *
 * @param prepared The request as it is for any model.
 * @throws {ServeError} `INVALID_ARGUMENT` with what is wrong with the input, and the errors of `ImageDecoder.decode` with the index
 * of the element
 */
export async function prepareImages(
  version: ModelVersion,
  prepared: Prepared<ResponseForm>,
  reading: ImageReading,
): Promise<Prepared<ResponseForm>> {
  const runs = await imageRuns(version, prepared, reading);
  const images = { areRows: decodedBy(version)!.input.hasRows };
  return { ...prepared, runs, context: { ...prepared.context, images } };
}

/** As `prepareImages`, for any kind of response. @returns a run for each file */
export async function imageRuns(
  version: ModelVersion,
  prepared: Prepared<unknown>,
  reading: ImageReading,
): Promise<readonly Tensors[]> {
  const image = decodedBy(version)!;
  const { name } = image.input;
  const elements = elementsOf(name, prepared.runs[0]!);
  checkCount(version, prepared.outputs, elements.length);
  const { tools, sender } = reading;
  const isText = reading.isText(name);
  // A decoder may read a file after its request is over.
  sender.share.lend();
  const place = (index: number) => `Element ${index} of input ${quote(name)}`;
  const decode: DecodeBase64 = (text) => tools.images.decodeBase64(text);
  const images: Uint8Array[] = [];
  for (const [index, element] of elements.entries()) {
    const fileOf = () => imageOfText(element, place(index), sender.share, decode);
    images.push(isText ? await fileOf() : element);
  }
  return (await encodeImages(image, { images, placeOf: place }, tools, sender)).runs;
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
function elementsOf(name: string, tensors: Tensors): readonly Uint8Array<ArrayBuffer>[] {
  const other = Object.keys(tensors).find((each) => each !== name);
  if (other !== undefined) {
    throw invalidArgument(
      `The model takes images in the input ${quote(name)} alone; leave out ${quote(other)}.`,
    );
  }
  const { dims, data } = tensors[name]!;
  // Clients of models with a fixed number of dimensions send [n, 1].
  if (dims.length !== 1 && !(dims.length === 2 && dims[1] === 1)) {
    throw invalidArgument(
      `Input ${quote(name)} has the shape [${dims}]; expected [n] or [n, 1], an encoded image for each element.`,
    );
  }
  const packed = Array.isArray(data) ? packStrings(data) : (data as Uint8Array);
  const elements = unpackStrings(packed);
  if (elements?.length === dims[0]) return elements as Uint8Array<ArrayBuffer>[];
  throw invalidArgument(
    `Input ${quote(name)} has the shape [${dims}], but its data does not hold so many elements.`,
  );
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
function checkCount(
  version: ModelVersion,
  wanted: readonly string[] | undefined,
  count: number,
): void {
  const name = quote(decodedBy(version)!.input.name);
  if (count === 0) throw invalidArgument(`Input ${name} has no image; send at least one.`);
  if (count > MAX_IMAGES) {
    throw invalidArgument(
      `Input ${name} has ${count} images, and a request may have ${MAX_IMAGES}; send fewer at once.`,
    );
  }
  const outputs = version.signature.outputs.filter(
    (each) => (wanted?.includes(each.name) ?? true) && !hasRows(version, each),
  );
  if (count === 1 || outputs.length === 0) return;
  const names = outputs.map((each) => quote(each.name)).join(', ');
  throw invalidArgument(
    `Input ${name} has ${count} images, but the model has no row for each image in ${names}; send one image at a time.`,
  );
}

/** Whether dimension 0 of an output is that of the images. */
function hasRows({ signature, image }: ModelVersion, { dims, symbols }: TensorSpec): boolean {
  if (image?.input.hasRows !== true || dims.length === 0) return false;
  const input = signature.inputs.find(({ name }) => name === image.input.name);
  const symbol = input?.symbols[0] ?? '';
  return signature.batching.enabled || dims[0] === 1 || (symbol !== '' && symbols[0] === symbol);
}
