/** @module The metrics of images that are decoded. */

import type { DecodeUsage } from '../image/decode/index.ts';
import type { Metrics } from './index.ts';

/** @param decoder The state that is read at each scrape. */
export function addImageMetrics(metrics: Metrics, decoder: { readonly usage: DecodeUsage }): void {
  metrics.onScrape(
    {
      name: 'millrace_images_decoding',
      type: 'gauge',
      help: 'Images that are being decoded',
    },
    () => [{ labels: {}, value: decoder.usage.decoding }],
  );
  metrics.onScrape(
    {
      name: 'millrace_image_memory_bytes',
      type: 'gauge',
      help: 'Memory that is taken for images, of MAX_PIXEL_BYTES_IN_FLIGHT',
    },
    () => [{ labels: {}, value: decoder.usage.bytes }],
  );
}
