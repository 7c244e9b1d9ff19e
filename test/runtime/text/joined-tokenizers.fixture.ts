/** @module Another thread that uses the tokenizers of the process. */

import type { MessagePort } from 'node:worker_threads';
import { parentThread } from '../../../runtime/host/index.ts';
import { joinTokenizers } from '../../../runtime/text/tokenizer/index.ts';

export interface JoinedData {
  readonly port: MessagePort;
  readonly path: string;
  readonly texts: readonly string[];
}

/** What the thread reports: the ids of each text, and why a file is no tokenizer. */
export interface JoinedReport {
  readonly ids: readonly (readonly number[])[];
  readonly reason: string;
}

const parent = parentThread()!;
const leave = parent.onMessage(() => leave());
const { port, path, texts } = parent.data as JoinedData;
const tokenizers = joinTokenizers(port);
const tokenizer = await tokenizers.load({ path });
const encoded = await tokenizer.encode(texts);
const reason = await tokenizers.load({ path: 'package.json' }).catch(String);
const report: JoinedReport = {
  ids: encoded.map(({ windows }) => [...windows[0]!.ids]),
  reason: String(reason),
};
await tokenizer.close();
await tokenizers.close();
parent.send(report);
