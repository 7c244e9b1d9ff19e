/**
 * Native codecs against what JavaScript does: time, bytes and the ratios of both.
 *
 * Usage: `bun test/native/codec.bench.ts [ADDON]`. The two contenders of a line take turns, so that
 * what else the machine does falls on both, and each is judged by its fastest turn.
 *
 * @module
 */
import { openCodec } from '../../native/codec.ts';

interface Line {
  readonly name: string;
  readonly native: () => unknown;
  readonly script: () => unknown;
  /** Sizes of what either makes, where that is compared too. */
  readonly bytes?: readonly [native: number, script: number];
}

const turns = 60;
const turnMs = 4;

const addon = process.argv[2];
const codec = openCodec(addon === undefined ? {} : { addon });
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Microseconds a call takes, over a turn. */
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

/** Calls with another element of `inputs` each time: branches learnt by heart would flatter anybody. */
function rotating<T>(inputs: readonly T[], operation: (input: T) => unknown): () => unknown {
  let next = 0;
  return () => operation(inputs[next++ % inputs.length]!);
}

function floatLines(length: number, variety: number): Line[] {
  const floats = Array.from({ length: variety }, (_, seed) => noise(length, seed));
  const shortest = floats.map((data) => codec.encodeTensorData('float32', data));
  const long = floats.map((data) => encoder.encode(JSON.stringify(Array.from(data))));
  const requests = shortest.map((data) =>
    encoder.encode(
      `{"inputs":[{"name":"x","shape":[1,${length}],"datatype":"FP32","data":${decoder.decode(data)}}]}`,
    ),
  );
  const parse = (bytes: Uint8Array) => codec.parseTensorData(bytes, 0, 'float32').data;
  const scripted = (bytes: Uint8Array) => Float32Array.from(JSON.parse(decoder.decode(bytes)));
  return [
    {
      name: `encode ${length} floats`,
      native: rotating(floats, (data) => codec.encodeTensorData('float32', data)),
      script: rotating(floats, (data) => JSON.stringify(Array.from(data))),
      bytes: [shortest[0]!.length, long[0]!.length],
    },
    {
      name: `parse ${length} floats, shortest digits`,
      native: rotating(shortest, parse),
      script: rotating(shortest, scripted),
    },
    {
      name: `parse ${length} floats, JavaScript's digits`,
      native: rotating(long, parse),
      script: rotating(long, scripted),
    },
    {
      name: `parse a request of ${length} floats`,
      native: rotating(requests, (body) => codec.parseInferRequest(body, -1)),
      script: rotating(requests, (body) =>
        Float32Array.from(JSON.parse(decoder.decode(body)).inputs[0].data),
      ),
    },
  ];
}

function normalizeLine(size: number): Line {
  const pixels = Uint8Array.from({ length: size * size * 3 }, (_, i) => i * 7);
  const mean = [0.485, 0.456, 0.406];
  const std = [0.229, 0.224, 0.225];
  const out = new Float32Array(pixels.length);
  const options = { height: size, width: size, mean, std, out };
  const gain = std.map((deviation) => 1 / 255 / deviation);
  const bias = std.map((deviation, channel) => -mean[channel]! / deviation);
  return {
    name: `normalise ${size} × ${size} × 3 bytes`,
    native: () => codec.normalizeImage(pixels, options),
    script: () => {
      const plane = size * size;
      for (let i = 0; i < plane; i++) {
        for (let c = 0; c < 3; c++) out[c * plane + i] = pixels[i * 3 + c]! * gain[c]! + bias[c]!;
      }
    },
  };
}

function report({ name, native, script, bytes }: Line): string {
  let fastest = Number.POSITIVE_INFINITY;
  let rival = Number.POSITIVE_INFINITY;
  for (let i = 0; i < turns; i++) {
    fastest = Math.min(fastest, turn(native));
    rival = Math.min(rival, turn(script));
  }
  const size = bytes === undefined ? '' : `, ${(bytes[0] / bytes[1]).toFixed(2)} of the bytes`;
  return `${name.padEnd(46)} ${fastest.toFixed(1).padStart(9)} µs ${rival.toFixed(1).padStart(10)} µs ${(rival / fastest).toFixed(2).padStart(7)} ×${size}`;
}

console.log(`${''.padEnd(46)} ${'native'.padStart(12)} ${'script'.padStart(13)}`);
for (const line of [...floatLines(768, 64), ...floatLines(150_528, 1), normalizeLine(224)]) {
  console.log(report(line));
}
