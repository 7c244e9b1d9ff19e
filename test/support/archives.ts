/** @module Archives in memory, also such as no ordinary program makes. */

import { crc32, deflateRawSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

/** A member of a tar archive: the fields of its header, and its content. */
export type TarMember = Partial<Header> & {
  readonly name: string;
  readonly text?: string | Uint8Array;
};

export async function tarOf(members: readonly TarMember[]): Promise<Buffer> {
  const archive = pack();
  for (const { text = '', ...header } of members) {
    const size = header.size ?? Buffer.byteLength(text);
    const entry = archive.entry({ ...header, size });
    entry.end(Buffer.from(text));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as unknown as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface ZipMember {
  readonly name: string;
  readonly text?: string | Uint8Array;
  /** The Unix mode, with the type of the file. */
  readonly mode?: number;
  readonly method?: number;
  readonly flags?: number;
  /** What the directory says instead of the true values. */
  readonly bytes?: number;
  readonly crc?: number;
  /** Where the directory says that the member is, instead of its own place. */
  readonly offset?: number;
}

const UTF8 = 0x800;

export function zipOf(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let length = 0;
  for (const member of members) {
    const name = Buffer.from(member.name);
    const content = Buffer.from(member.text ?? '');
    const data = member.method === 0 ? content : deflateRawSync(content);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    fill(local, 4, member, content, data);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE((3 << 8) | 20, 4);
    fill(entry, 6, member, content, data);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(((member.mode ?? 0) << 16) >>> 0, 38);
    entry.writeUInt32LE(member.offset ?? length, 42);
    directory.push(entry, name);
    parts.push(local, name, data);
    length += local.length + name.length + data.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(length, 16);
  return Buffer.concat([...parts, list, end]);
}

/** The fields that both headers of a member have, in the same order. */
function fill(
  header: Buffer,
  at: number,
  { flags = UTF8, method = 8, bytes, crc }: ZipMember,
  content: Buffer,
  data: Buffer,
): void {
  header.writeUInt16LE(20, at);
  header.writeUInt16LE(flags, at + 2);
  header.writeUInt16LE(method, at + 4);
  header.writeUInt32LE(crc ?? crc32(content), at + 10);
  header.writeUInt32LE(data.length, at + 14);
  header.writeUInt32LE(bytes ?? content.length, at + 18);
}
