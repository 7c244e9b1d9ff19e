/** @module Files that Git LFS has not fetched, in whose place there are a few lines of text. */

import { open } from 'node:fs/promises';
import { basename } from 'node:path';

const START = 'version https://git-lfs';

/** What to do about the first of the files that is a pointer of Git LFS, as a sentence without a full stop; undefined if none is. */
export async function whyNotFetched(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if ((await startOf(path)) !== START) continue;
    return `${basename(path)} is a pointer of Git LFS, not the file itself: run git lfs pull where it was cloned, and copy it again`;
  }
  return undefined;
}

/** The first characters of a file; '' if it cannot be read. */
async function startOf(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(START.length), 0, START.length, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } catch {
    return '';
  }
}
