/** @module Creates files in a temporary folder. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The content of each file by its path. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

export interface TemporaryFiles extends Disposable {
  readonly path: string;
}

/** Creates the files. The caller declares the result with `using`, which removes the folder at the end of the test. */
export function temporaryFiles(files: Files): TemporaryFiles {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-files-'));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return {
    path: folder,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
