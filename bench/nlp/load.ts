/**
 * Measures servers of embeddings in turns: `bun load.ts TEXTS-AS-JSON CONNECTIONS SECONDS REPEATS NAME=URL|NAME=COMMAND …`.
 *
 * To a server every connection sends a text, and the next one when it has the response. A command, which is whatever is no
 * URL, prints the rate it has measured itself, as `raw.py` does. Prints for each contender the texts per second of each
 * repeat, their median, and the median, least and largest ratio to the first contender of the same repeat, as JSON.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const [file, connections, seconds, repeats, ...named] = process.argv.slice(2);
const texts: string[] = JSON.parse(await readFile(file!, 'utf8'));
const bodies = texts.map((text) => JSON.stringify({ text }));
const inputs = texts.map((text) => JSON.stringify({ model: 'minilm', input: [text] }));

interface Contender {
  readonly name: string;
  /** Texts per second. */
  readonly measure: (seconds: number) => Promise<number>;
  readonly rates: number[];
}

const contenders = named.map((each): Contender => {
  const at = each.indexOf('=');
  const what = each.slice(at + 1);
  const measure = /^https?:/.test(what) ? (time: number) => send(what, time) : () => resultOf(what);
  return { name: each.slice(0, at), measure, rates: [] };
});

async function send(url: string, time: number): Promise<number> {
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

async function resultOf(command: string): Promise<number> {
  const { stdout } = await promisify(execFile)('sh', ['-c', command]);
  return JSON.parse(stdout).texts_per_second;
}

const sorted = (values: readonly number[]) => values.toSorted((a, b) => a - b);
const median = (values: readonly number[]) => sorted(values)[Math.floor(values.length / 2)]!;
const rounded = (value: number, digits: number) => Number(value.toFixed(digits));

for (const { measure } of contenders) await measure(2);
for (let repeat = 0; repeat < Number(repeats); repeat += 1) {
  for (const { measure, rates } of contenders) rates.push(await measure(Number(seconds)));
}
const first = contenders[0]!;
const rows = contenders.map(({ name, rates }) => {
  const ratios = sorted(rates.map((rate, i) => first.rates[i]! / rate));
  return {
    name,
    rates: rates.map((rate) => rounded(rate, 1)),
    median: rounded(median(rates), 1),
    firstDividedByThis: [median(ratios), ratios[0]!, ratios.at(-1)!].map((each) =>
      rounded(each, 2),
    ),
  };
});
console.log(JSON.stringify(rows, null, 2));
