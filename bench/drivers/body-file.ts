/** @module Writes a body to a file, because arguments and environment of a process cannot hold a large one. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export class BodyFile implements AsyncDisposable {
  readonly path: string;

  static async write(body: string | Uint8Array): Promise<BodyFile> {
    const path = join(await mkdtemp(join(tmpdir(), 'bench-body-')), 'body');
    await writeFile(path, body);
    return new BodyFile(path);
  }

  private constructor(path: string) {
    this.path = path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(dirname(this.path), { recursive: true });
  }
}
