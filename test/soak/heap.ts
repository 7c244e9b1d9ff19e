/** @module What the C library knows about the memory of native code. */
import { dlopen } from 'bun:ffi';

const { symbols: libc } = dlopen('libc.so.6', {
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
