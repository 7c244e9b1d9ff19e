/** @module `POST /segment`: the parts of an image as masks, and the image with the masks over it. */

import { z } from '@hono/zod-openapi';
import {
  type ImageSegments,
  invalidArgument,
  ShortTurns,
  segment,
  segmentsJson,
} from '../../runtime/index.ts';
import type { EncodedResponse } from '../http/edge.ts';
import { roundScore } from '../http/scores.ts';
import type { RouteBuilder } from '../http/service-definition.ts';
import { prefers } from '../http/vectors.ts';
import { type About, imageRoute, imagesOf } from './image-route.ts';
import { boxSchema, describeImageRoute, eachSchema } from './openapi.ts';
import { boxOptions, commonOptions, threshold } from './options.ts';

const optionsSchema = z
  .strictObject({
    format: z.enum(['png', 'rle', 'polygon']).optional().openapi({
      description:
        'How masks are written: as base64 of a PNG of 0 and 255 (`png`, the default), as uncompressed counts of COCO (`rle`), or as lists of x and y of their outlines, as COCO has them (`polygon`).',
    }),
    threshold: threshold('Things are left out unless their confidence is above it. Default: 0.5.'),
    overlay: z.boolean().optional().openapi({
      description:
        'Whether the response has the image with the masks over it, as base64 of a PNG. Default: false.',
    }),
    ...boxOptions,
    ...commonOptions,
  })
  .openapi('SegmentOptions');

const resultSchema = z
  .object({
    segments: z.array(
      z
        .object({
          class: z.string().openapi({ example: 'person' }),
          confidence: z.number().openapi({
            description: 'Of a semantic model the mean probability over the mask.',
            example: 0.98,
          }),
          area: z.int().openapi({ description: 'Pixels of the mask.', example: 40_312 }),
          box: boxSchema,
          mask: z.union([
            z.string().openapi({ description: 'Base64 of a PNG of 0 and 255.' }),
            z.object({ size: z.array(z.int()).length(2), counts: z.array(z.int()) }).openapi({
              description: 'Height and width, and the runs of 0 and 1 down the columns.',
            }),
            z.array(z.array(z.number())).openapi({ description: 'x, y, x, y … of each outline.' }),
          ]),
        })
        .openapi('Segment'),
    ),
    overlay: z.string().optional().openapi({ description: 'Base64 of a PNG.' }),
  })
  .openapi('Segments');

/** Adds the route. */
export function segmentRoute({ infer, describe, runtime }: RouteBuilder): void {
  const path = '/segment';
  infer(
    imageRoute(runtime, {
      path,
      operation: segment,
      options: optionsSchema,
      read(options, body, headers) {
        const { model, model_version, max_detections: maxDetections, ...own } = options;
        const wantsPicture = prefers(headers, 'image/png');
        if (wantsPicture && body.images.length > 1) {
          throw invalidArgument(
            `The response to Accept: image/png is one picture, but there are ${body.images.length} images; send one.`,
          );
        }
        const overlay = wantsPicture || own.overlay;
        return {
          ...{ model, model_version },
          input: { ...imagesOf(body), ...own, overlay, onlyOverlay: wantsPicture, maxDetections },
          write: ({ output: { results }, about }) =>
            wantsPicture ? picture(results[0]!) : writeSegments(results, body.isList, about),
        };
      },
    }),
  );
  describe(
    describeImageRoute({
      path,
      summary: 'Segment images',
      options: optionsSchema,
      response: {
        'application/json': { schema: eachSchema(resultSchema) },
        'image/png': {
          schema: z.string().openapi({
            format: 'binary',
            description: 'The image with the masks over it, if `Accept` asks for it.',
          }),
        },
      },
    }),
  );
}

const picture = ({ overlay }: ImageSegments): EncodedResponse => ({
  body: overlay as Uint8Array<ArrayBuffer>,
  headers: { 'Content-Type': 'image/png' },
});

/** A response of one object for one image, and of a list for several, written in short turns. */
async function writeSegments(
  results: readonly ImageSegments[],
  isList: boolean,
  about: About,
): Promise<EncodedResponse> {
  const turns = new ShortTurns();
  const pieces = [isList ? '{"results":[' : ''];
  for (const [i, { segments, overlay }] of results.entries()) {
    const rounded = segments.map((each) => ({
      ...each,
      confidence: roundScore(each.confidence),
    }));
    pieces.push(i === 0 ? '' : ',', '{"segments":', await segmentsJson(rounded, turns));
    if (overlay !== undefined) await writePicture(pieces, overlay, turns);
    if (isList) pieces.push('}');
    await turns.pause();
  }
  pieces.push(isList ? '],' : ',', JSON.stringify(about).slice(1));
  return { body: pieces.join('') };
}

/** Bytes of a picture that are written at a time: a multiple of three, which base64 takes together. */
const PICTURE_BYTES = 3 * 256 * 1024;

async function writePicture(
  pieces: string[],
  { buffer, byteOffset, byteLength }: Uint8Array,
  turns: ShortTurns,
): Promise<void> {
  pieces.push(',"overlay":"');
  for (let from = 0; from < byteLength; from += PICTURE_BYTES) {
    const length = Math.min(PICTURE_BYTES, byteLength - from);
    pieces.push(Buffer.from(buffer, byteOffset + from, length).toString('base64'));
    await turns.pause();
  }
  pieces.push('"');
}
