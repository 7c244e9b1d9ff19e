/** @module The images of `millrace jobs submit --images`: a folder, which is packed while it is sent, or an archive. */

import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { InvalidArgumentError } from 'commander';
import { progress } from './output.ts';
import { Refused } from './server.ts';
import { type PackedFile, packed } from './tar.ts';

/** Options of each request by name; one that is written several times is a list. */
export type ImageOptions = Readonly<Record<string, readonly string[]>>;

/** Names of files in a folder that are sent. The server looks at the files themselves. */
const IMAGE = /\.(?:jpe?g|jfif|png|webp|avif|gif|tiff?)$/i;

/** Adds an option that is written as `name=value`, for commander. @throws {InvalidArgumentError} */
export function addOption(given: string, options: ImageOptions = {}): ImageOptions {
  const end = given.indexOf('=');
  if (end < 1) throw new InvalidArgumentError('Write it as name=value, such as top_k=3.');
  const name = given.slice(0, end);
  return { ...options, [name]: [...(options[name] ?? []), given.slice(end + 1)] };
}

export interface SentImages {
  readonly type: string;
  readonly body: ReadableStream<Uint8Array>;
  /** Ends the progress bar. */
  stop(): void;
}

/**
 * @param place A folder, or an archive whose name ends with `.zip` or `.tar`.
 * @throws {Refused} if there is neither, or no image in the folder
 */
export async function imagesAt(place: string): Promise<SentImages> {
  const about = await stat(place).catch(() => undefined);
  if (about === undefined) throw new Refused(`There is no file or folder ${place}`);
  if (about.isDirectory()) {
    const files = await imagesBelow(place);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return withProgress('application/x-tar', await packed(files), bytes);
  }
  const type = /\.zip$/i.test(place) ? 'application/zip' : 'application/x-tar';
  if (!/\.(?:zip|tar)$/i.test(place)) {
    throw new Refused(`${place} is neither a folder nor a .zip or .tar archive`);
  }
  return withProgress(type, createReadStream(place), about.size);
}

/** The images in a folder and the folders below it, sorted. Hidden ones and links are left out. */
async function imagesBelow(folder: string): Promise<PackedFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && IMAGE.test(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((file) => ({ file, name: relative(folder, file).split(sep).join('/') }))
    .filter(({ name }) => name.split('/').every((part) => !part.startsWith('.')))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (paths.length === 0) throw new Refused(`${folder} has no images`);
  return Promise.all(
    paths.map(async ({ file, name }) => ({ file, name, size: (await stat(file)).size })),
  );
}

async function withProgress(type: string, source: Readable, bytes: number): Promise<SentImages> {
  const bar = await progress('Sending', bytes);
  const sent = async function* () {
    let count = 0;
    try {
      for await (const chunk of source) {
        yield chunk as Uint8Array;
        count += (chunk as Uint8Array).length;
        // An archive has headers beside the files.
        bar.update(Math.min(count, bytes));
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new Refused(`The images cannot be read: ${code ?? message}`);
    }
  };
  const body = Readable.toWeb(Readable.from(sent())) as unknown as ReadableStream<Uint8Array>;
  return { type, body, stop: () => bar.stop() };
}
