/** @module What the server and the process that tries a version say to each other, each in one line of JSON. */

import type { Failure, LoadSettings, ProbeRequest, ProbeResult } from '../../../runtime/index.ts';

export interface ProbeTask {
  readonly request: ProbeRequest;
  readonly settings: LoadSettings;
  /** The path of the ONNX Runtime library; undefined for the default one. */
  readonly ortLibrary: string | undefined;
}

export type ProbeReply = { readonly result: ProbeResult } | { readonly failure: Failure };
