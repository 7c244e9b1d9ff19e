/** @module The memory of this process, as the C library and the kernel account for it. */
import { dlopen } from 'bun:ffi';
import { readFileSync } from 'node:fs';

const { symbols: libc } = dlopen('libc.so.6', {
  malloc: { args: ['usize'], returns: 'ptr' },
  malloc_trim: { args: ['usize'], returns: 'int' },
  malloc_info: { args: ['int', 'ptr'], returns: 'int' },
  tmpfile: { args: [], returns: 'ptr' },
  rewind: { args: ['ptr'], returns: 'void' },
  fread: { args: ['ptr', 'usize', 'usize', 'ptr'], returns: 'usize' },
  fclose: { args: ['ptr'], returns: 'int' },
});

/**
 * Returns memory to the system that is free, but kept by the C library for later. How much it keeps grows slowly with
 * every thread that comes and goes, although the memory in use does not.
 */
export function releaseFreeMemory(): void {
  libc.malloc_trim(0);
}

/** Allocates memory as native code does, and never frees it. */
export function leakNative(bytes: number): void {
  if (libc.malloc(bytes) === null) throw new Error('there is no memory');
}

function describeHeaps(): string {
  const file = libc.tmpfile();
  if (file === null) throw new Error('a temporary file could not be opened');
  libc.malloc_info(0, file);
  libc.rewind(file);
  const text = Buffer.alloc(1 << 20);
  const size = Number(libc.fread(text, 1, text.length, file));
  libc.fclose(file);
  return text.toString('utf8', 0, size);
}

/** Bytes that are allocated with malloc. Bun's own memory is not part of it, except for a little. */
export function bytesInUse(): number {
  const xml = describeHeaps();
  const totals = xml.slice(xml.lastIndexOf('</heap>'));
  const size = (line: string) => {
    const found = new RegExp(`<${line}"(?: count="\\d+")? size="(\\d+)"`).exec(totals);
    if (found === null) throw new Error(`malloc_info has no <${line}": ${totals}`);
    return Number(found[1]);
  };
  const free = size('total type="fast') + size('total type="rest');
  return size('system type="current') - free + size('total type="mmap');
}

interface Mapping {
  readonly from: number;
  readonly to: number;
  /** Of a file, or a name such as `[heap]`; '' if it has none. */
  readonly name: string;
  /** Resident bytes. */
  readonly rss: number;
}

/** `/proc/self/smaps`: for each mapping a line with its addresses, and lines with its sizes. */
function mappings(): Mapping[] {
  const form =
    /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \S+ *(.*)\n(?:[A-Z][^\n]*\n)*?Rss: +(\d+) kB/gm;
  return Array.from(
    readFileSync('/proc/self/smaps', 'utf8').matchAll(form),
    ([, from, to, name, kib]) => ({
      from: Number.parseInt(from!, 16),
      to: Number.parseInt(to!, 16),
      name: name!,
      rss: Number(kib) * 1024,
    }),
  );
}

/** The mappings of the runtime before it has loaded the addon: its program, and where its own allocators take memory. */
export class RuntimeMemory {
  readonly #own = mappings().filter(({ name }) => name !== '[heap]');

  /** Resident bytes of this process in and outside of these mappings. */
  measure(): { readonly inside: number; readonly outside: number } {
    let inside = 0;
    let outside = 0;
    for (const { from, rss } of mappings()) {
      // The kernel divides a mapping when a part of it is used in another way.
      if (this.#own.some((own) => from >= own.from && from < own.to)) inside += rss;
      else outside += rss;
    }
    return { inside, outside };
  }
}
