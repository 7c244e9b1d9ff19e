/**
 * Measures servers of embeddings in turns: `bun load.ts TEXTS-AS-JSON CONNECTIONS SECONDS REPEATS NAME=URL …`.
 *
 * Every connection sends a text, and the next one when it has the response. Prints for each server the texts per second of
 * each repeat, their median, and its ratio to the first server's, as JSON.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';

const [file, connections, seconds, repeats, ...named] = process.argv.slice(2);
const texts: string[] = JSON.parse(await readFile(file!, 'utf8'));
const bodies = texts.map((text) => JSON.stringify({ text }));
const inputs = texts.map((text) => JSON.stringify({ model: 'minilm', input: [text] }));

interface Server {
  readonly name: string;
  readonly url: string;
  /** Texts per second. */
  readonly rates: number[];
}

const servers = named.map((each): Server => {
  const at = each.indexOf('=');
  return { name: each.slice(0, at), url: each.slice(at + 1), rates: [] };
});

/** Sends texts for a time, and returns how many had their response, per second. */
async function measure(url: string, time: number): Promise<number> {
  const sent = url.endsWith('/embeddings') ? inputs : bodies;
  const until = performance.now() + time * 1000;
  let done = 0;
  const client = async (first: number) => {
    for (let i = first; performance.now() < until; i += Number(connections)) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: sent[i % sent.length]!,
      });
      if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
      await response.arrayBuffer();
      done += 1;
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: Number(connections) }, (_, i) => client(i)));
  return (done * 1000) / (performance.now() - started);
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

for (const { url } of servers) await measure(url, 2);
for (let repeat = 0; repeat < Number(repeats); repeat += 1) {
  for (const { url, rates } of servers) rates.push(await measure(url, Number(seconds)));
}
const first = servers[0]!;
const rows = servers.map(({ name, rates }) => ({
  name,
  rates: rates.map((rate) => Number(rate.toFixed(1))),
  median: Number(median(rates).toFixed(1)),
  ratio: Number(median(rates.map((rate, i) => first.rates[i]! / rate)).toFixed(2)),
}));
console.log(JSON.stringify(rows, null, 2));
