/** @module `millrace models register`: sends a model to a server, or writes it to the stores of this machine. */

import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { Readable } from 'node:stream';
import type { VersionFields } from './offline.ts';
import { print, progress } from './output.ts';
import { path, Refused, Server, type ServerOptions } from './server.ts';
import { packed } from './tar.ts';
import type { Version } from './version.ts';

export interface RegisterOptions extends ServerOptions {
  readonly modelPath: string;
  readonly name: string;
  readonly version: string;
  readonly metadata?: object;
  readonly config?: string;
  readonly signature?: string;
  readonly offline?: boolean;
}

/** What is sent as the artifact: a file as it is, or a folder as a tar archive. */
interface Artifact {
  readonly filename: string;
  /** Bytes of the files. */
  readonly bytes: number;
  read(): Readable;
}

export async function register(options: RegisterOptions): Promise<void> {
  const fields: VersionFields = {
    version: options.version,
    ...(options.metadata && { metadata: JSON.stringify(options.metadata) }),
    ...(options.config !== undefined && { config: await readText(options.config) }),
    ...(options.signature !== undefined && { signature: await readText(options.signature) }),
  };
  if (options.offline) {
    const { registerOffline } = await import('./offline.ts');
    const version = await registerOffline(options.name, options.modelPath, fields);
    print(options, version, shown);
    return;
  }
  const artifact = await artifactAt(options.modelPath);
  const bar = await progress('Sending', artifact.bytes);
  try {
    const { body, type } = multipart(fields, artifact, (sent) => bar.update(sent));
    const answer = await new Server(options).call<Shown>(
      'POST',
      path('admin', 'models', options.name, 'versions'),
      { body, headers: { 'Content-Type': type } },
    );
    bar.stop();
    print(options, answer.body, answer.status === OK ? shownAgain : shown);
  } finally {
    bar.stop();
  }
}

type Shown = Pick<Version, 'name' | 'version' | 'state' | 'reason'>;

const shown = ({ name, version, state, reason }: Shown) =>
  `Version ${version} of ${name} is ${state}.${reason === null ? '' : `\n${reason}`}`;

/** The status of a version that was registered before; a new one gets 201. */
const OK = 200;

const shownAgain = ({ name, version }: Shown) =>
  `Version ${version} of ${name} was registered before with the same content, and stays as it is.`;

/** @throws {Refused} if the file cannot be read */
export async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw unreadable(file, error);
  });
}

const unreadable = (file: string, { code, message }: NodeJS.ErrnoException): Refused =>
  new Refused(`Cannot read ${file}: ${code ?? message}`);

async function artifactAt(given: string): Promise<Artifact> {
  const about = await stat(given).catch(() => undefined);
  if (about === undefined) throw new Refused(`There is no file or folder ${given}`);
  if (!about.isDirectory()) {
    return {
      filename: basename(given),
      bytes: about.size,
      read: () => createReadStream(given),
    };
  }
  const files = await filesBelow(given);
  const archive = await packed(files);
  return {
    filename: `${basename(given)}.tar`,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    read: () => archive,
  };
}

/** Every file in a folder and the folders below it. Links are not followed: the server refuses them. */
async function filesBelow(folder: string) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const others = entries.find((entry) => !entry.isFile() && !entry.isDirectory());
  if (others !== undefined) {
    const name = relative(folder, join(others.parentPath, others.name));
    throw new Refused(`${name} is a link or a device; a model consists of files only`);
  }
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(
    files.map(async ({ parentPath, name }) => {
      const file = join(parentPath, name);
      return { file, name: relative(folder, file), size: (await stat(file)).size };
    }),
  );
}

/** A multipart body that is made while it is sent, so that a model of any size needs little memory. */
function multipart(fields: VersionFields, artifact: Artifact, onSent: (bytes: number) => void) {
  const boundary = `millrace-${crypto.randomUUID()}`;
  const part = (disposition: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`;
  async function* parts() {
    const encoder = new TextEncoder();
    for (const [name, value] of Object.entries(fields)) {
      yield encoder.encode(`${part(`name="${name}"`)}${value}\r\n`);
    }
    const filename = artifact.filename.replaceAll('"', '_');
    yield encoder.encode(part(`name="artifact"; filename="${filename}"`));
    let sent = 0;
    try {
      for await (const chunk of artifact.read()) {
        yield chunk as Uint8Array;
        sent += (chunk as Uint8Array).length;
        onSent(sent);
      }
    } catch (error) {
      throw unreadable(artifact.filename, error as NodeJS.ErrnoException);
    }
    yield encoder.encode(`\r\n--${boundary}--\r\n`);
  }
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Readable.toWeb(Readable.from(parts())) as unknown as ReadableStream<Uint8Array>,
  };
}
