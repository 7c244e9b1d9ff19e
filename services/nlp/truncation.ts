/** @module The member of the forms of text-embeddings-inference that says which end of a text is cut. */

import { z } from '@hono/zod-openapi';
import { invalidArgument } from '../../runtime/index.ts';

export const truncationDirection = z
  .enum(['right', 'left', 'Right', 'Left'])
  .nullish()
  .openapi({ description: 'Only `right` is supported: texts are cut at their end.' });

/** @throws {ServeError} `INVALID_ARGUMENT` for the direction that is not supported. */
export function refuseLeft(direction: string | null | undefined): void {
  if (direction?.toLowerCase() !== 'left') return;
  throw invalidArgument(
    'truncation_direction is "left", but texts are cut at their end only; leave it out, and a long text is read in several windows.',
  );
}
