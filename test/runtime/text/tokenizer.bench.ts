/**
 * Measures what tokens cost: the load and the memory of a tokenizer, and the processor time and the latency of texts of 128
 * tokens, in the thread of a tokenizer and, for comparison, with the library in the thread that asks.
 *
 * Usage: `bun test/runtime/text/tokenizer.bench.ts`, or `deno run -A` with the file. The best of several turns counts.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { openTokenizers } from '../../../runtime/text/tokenizer/index.ts';
import { temporaryFiles } from '../../support/files.ts';

const TURNS = 5;
const TEXTS = 1000;
const WORDS =
  'the train to coast leaves at seven in morning and nobody knows why it is late again today'.split(
    ' ',
  );

const tokenizers = openTokenizers();
const host = 'Deno' in globalThis ? 'deno' : 'bun';
const rss = () => Math.round(process.memoryUsage().rss / 2 ** 20);

/** A text of 126 words, each of which is a token in a usual vocabulary. */
const textOf = (seed: number): string => {
  let state = seed + 1;
  const words = Array.from({ length: 126 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return WORDS[state % WORDS.length]!;
  });
  return words.join(' ');
};
const texts = Array.from({ length: TEXTS }, (_, i) => textOf(i));

interface Measured {
  readonly microseconds: number;
  readonly processor: number;
  readonly median: number;
}

/** Encodes all texts, so many at a time, and returns the best of several turns: microseconds for each text. */
async function measure(
  clients: number,
  size: number,
  encode: (some: readonly string[]) => Promise<unknown>,
): Promise<Measured> {
  const found: Measured[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    let next = 0;
    const latencies: number[] = [];
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    const client = async () => {
      while (next < TEXTS) {
        const some = texts.slice(next, next + size);
        next += size;
        const sentMs = performance.now();
        await encode(some);
        latencies.push(performance.now() - sentMs);
      }
    };
    await Promise.all(Array.from({ length: clients }, client));
    const microseconds = ((performance.now() - startedMs) * 1000) / TEXTS;
    const { user, system } = process.cpuUsage(cpu);
    latencies.sort((a, b) => a - b);
    const median = latencies[latencies.length >> 1]! * 1000;
    found.push({ microseconds, processor: (user + system) / TEXTS, median });
  }
  const best = (key: keyof Measured) => Math.min(...found.map((each) => each[key]));
  return {
    microseconds: best('microseconds'),
    processor: best('processor'),
    median: best('median'),
  };
}

function print(name: string, what: string, { microseconds, processor, median }: Measured): void {
  const [all, used, latency] = [microseconds, processor, median].map(Math.round);
  console.log(
    `${host} ${name}: ${what}: ${all} µs a text, ${used} µs of processors, median ${latency} µs`,
  );
}

async function measureFile(name: string, file: string): Promise<void> {
  const before = rss();
  const startedMs = performance.now();
  const tokenizer = await tokenizers.load({ path: file });
  const loadMs = Math.round(performance.now() - startedMs);
  console.log(`${host} ${name}: loaded in ${loadMs} ms, ${rss() - before} MiB more`);
  const encode = (some: readonly string[]) => tokenizer.encode(some, { window: 512 });
  for (const clients of [1, 8, 64]) print(name, `C=${clients}`, await measure(clients, 1, encode));
  print(name, 'lists of 32', await measure(1, 32, encode));
  await tokenizer.close();
  const { Tokenizer } = await import('tokenizers');
  const own = Tokenizer.fromFile(file);
  const inThread = async (some: readonly string[]) => (await own.encode(some[0]!)).getIds();
  for (const clients of [1, 64]) {
    print(name, `in the same thread, C=${clients}`, await measure(clients, 1, inThread));
  }
}

using folder = temporaryFiles({});
const large = path.join(folder.path, 'tokenizer.json');
const file = JSON.parse(readFileSync('test/fixtures/text/xlmr-rerank/tokenizer.json', 'utf8'));
const vocab: [string, number][] = [...file.model.vocab, ...WORDS.map((word) => [`▁${word}`, -8])];
while (vocab.length < 250_000) vocab.push([`▁word${vocab.length}`, -20]);
writeFileSync(large, JSON.stringify({ ...file, model: { ...file.model, vocab } }));

await measureFile('WordPiece of 30,522', 'models/minilm/tokenizer.json');
await measureFile('Unigram of 250,000', large);
await tokenizers.close();
