/** @module A request of the generate extension. */

import type { CancelSignal, ModelVersion } from '../../runtime/index.ts';
import type { EventStream } from '../http/event-stream.ts';
import type { ImageSender } from './images.ts';
import type { Target } from './infer.ts';

/** The members of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

export interface GenerateInput {
  readonly target: Target;
  readonly fields: Fields;
  readonly id: string | undefined;
  /** Who waits for the response, with what aborts when the client disconnects. */
  readonly sender: ImageSender & { readonly signal: CancelSignal };
  /** The events of the response; undefined if it is of one piece. */
  readonly events: EventStream | undefined;
}

/** What a response says about itself. */
export const about = ({ id }: GenerateInput, { model, version }: ModelVersion) => ({
  ...{ id, model_name: model, model_version: version },
});
