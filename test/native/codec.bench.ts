/**
 * Compares the native parser of requests with `JSON.parse`. How responses are encoded is measured by
 * `bench/suites/codec.ts`.
 *
 * Usage: `bun test/native/codec.bench.ts [ADDON]`. The two contenders of a line take turns, so that other load
 * on the machine falls on both, and each is judged by its fastest turn.
 *
 * @module
 */
import { openCodec } from '../../native/codec.ts';

interface Line {
  readonly name: string;
  readonly native: () => unknown;
  readonly script: () => unknown;
}

const turns = 60;
const turnMs = 4;

const addon = process.argv[2];
const codec = openCodec(addon === undefined ? {} : { addon });
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Returns the microseconds of a call, averaged over a turn. */
function turn(operation: () => unknown): number {
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  while (elapsed < turnMs) {
    operation();
    calls += 1;
    elapsed = performance.now() - start;
  }
  return (elapsed * 1000) / calls;
}

/** A fixed sequence of numbers in [-1, 1), so that runs agree on their input. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Returns a function that takes another input each time, because a processor would learn the branches of a single one. */
function rotating<T>(inputs: readonly T[], operation: (input: T) => unknown): () => unknown {
  let next = 0;
  return () => operation(inputs[next++ % inputs.length]!);
}

/** Lines that parse a request of `length` floats, as `JSON.stringify` writes them and with the fewest digits. */
function parseLines(length: number, variety: number): Line[] {
  const floats = Array.from({ length: variety }, (_, seed) => noise(length, seed));
  const requests = (digits: (value: number) => number | string) =>
    floats.map((data) =>
      encoder.encode(
        `{"inputs":[{"name":"x","shape":[1,${length}],"datatype":"FP32","data":[${Array.from(data, digits)}]}]}`,
      ),
    );
  const line = (name: string, bodies: readonly Uint8Array[]): Line => ({
    name: `parse ${length} floats, ${name}`,
    native: rotating(bodies, (body) => codec.parseInferRequest(body, -1)),
    script: rotating(bodies, (body) =>
      Float32Array.from(JSON.parse(decoder.decode(body)).inputs[0].data),
    ),
  });
  return [
    line(
      'nine digits',
      requests((value) => value.toPrecision(9)),
    ),
    line(
      'the digits of JavaScript',
      requests((value) => value),
    ),
  ];
}

function report({ name, native, script }: Line): string {
  let fastest = Number.POSITIVE_INFINITY;
  let rival = Number.POSITIVE_INFINITY;
  for (let i = 0; i < turns; i++) {
    fastest = Math.min(fastest, turn(native));
    rival = Math.min(rival, turn(script));
  }
  return `${name.padEnd(46)} ${fastest.toFixed(1).padStart(9)} µs ${rival.toFixed(1).padStart(10)} µs ${(rival / fastest).toFixed(2).padStart(7)} ×`;
}

console.log(`${''.padEnd(46)} ${'native'.padStart(12)} ${'script'.padStart(13)}`);
for (const line of [...parseLines(768, 64), ...parseLines(150_528, 1)]) {
  console.log(report(line));
}
