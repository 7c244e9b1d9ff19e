/** @module The decoder of images of one HTTP thread. */

import { DecodeBudget, type DecodeLimits } from './decode-budget.ts';
import { DecodeQueue } from './decode-queue.ts';
import type { DecodedImage, DecodeOptions, LazyImageDecoder } from './image-decoder.ts';
import { decodeBytes, pixelBytes } from './image-weight.ts';
import { HeaderReader } from './read-header.ts';
import { mayBeReduced, reducedSize } from './reduced-size.ts';
import {
  decodePixels,
  freeMemory,
  loadSharp,
  orientedSize,
  type SharpModule,
} from './sharp-pixels.ts';

export interface DecoderOptions extends DecodeLimits {
  /** The most pixels of an image. */
  readonly maxPixels: number;
  /** The most images that wait in this thread. */
  readonly waiting: number;
  /** The counts that the threads of the process share, from `DecodeBudget.counts`. Default: this is the only thread. */
  readonly shared?: SharedArrayBuffer | undefined;
}

/**
 * Opens a decoder. The headers of images are checked at once and the rest waits for its turn. The memory of a file must not
 * change or be freed until its promise settles, and not even then if it was given up: sharp reads it until it has finished.
 */
export function openImageDecoder(options: DecoderOptions): LazyImageDecoder {
  const { maxPixels, waiting, shared } = options;
  const budget = new DecodeBudget(options, shared);
  const queue = new DecodeQueue(budget, waiting);
  const headers = new HeaderReader();
  // It is loaded when it is needed, because many servers have no model for images.
  let loading: Promise<SharpModule> | undefined;
  const load = () => (loading ??= loadSharp());

  async function decode(file: Uint8Array, each: DecodeOptions): Promise<DecodedImage> {
    const { background, tolerant, target, signal, timeoutMs } = each;
    const startedMs = performance.now();
    const header = await headers.read(file, { maxPixels, tolerant });
    const sharp = await load();
    const reducible = target !== undefined && mayBeReduced(header, target);
    const size = reducible ? await orientedSize(sharp, file, header) : undefined;
    const reduced = size && reducedSize(size, target!);
    const left = timeoutMs === undefined ? undefined : timeoutMs - (performance.now() - startedMs);
    const pixels = await queue.use(
      decodeBytes(header, reduced),
      () => decodePixels(sharp, { file, header, maxPixels, reduced, background, tolerant }),
      ({ width, height }) => pixelBytes(width, height),
      ({ data }) => freeMemory(data),
      { signal, timeoutMs: left },
    );
    const kept = pixelBytes(pixels.width, pixels.height);
    const { width, height } = reduced === undefined ? pixels : size!;
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      freeMemory(pixels.data);
      budget.give(kept);
      queue.startNext();
    };
    return { pixels, width, height, release };
  }

  return {
    decode,
    async prepare() {
      await load();
    },
    get inFlight() {
      return queue.inFlight;
    },
    get usage() {
      return { decoding: budget.decoding, bytes: budget.taken };
    },
  };
}
