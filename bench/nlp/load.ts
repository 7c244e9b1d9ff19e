/**
 * Measures servers of embeddings in turns: `bun load.ts TEXTS-AS-JSON CONNECTIONS SECONDS REPEATS NAME=URL|NAME=COMMAND …`.
 *
 * To a server every connection sends a text, and the next one when it has the response. A command, which is whatever is no
 * URL, prints the rate it has measured itself, as `raw.py` does. Prints for each contender the texts per second of each
 * repeat, their median, and the median, least and largest ratio to the first contender of the same repeat, as JSON.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { contendersOf, keepBusy, measureInTurns } from '../lib/in-turns.ts';

const [file, connections, seconds, repeats, ...named] = process.argv.slice(2);
const texts: string[] = JSON.parse(await readFile(file!, 'utf8'));
const bodies = texts.map((text) => JSON.stringify({ text }));
const inputs = texts.map((text) => JSON.stringify({ model: 'minilm', input: [text] }));

const contenders = contendersOf(named, (url, time) => {
  const sent = url.endsWith('/embeddings') ? inputs : bodies;
  return keepBusy(Number(connections), time, (i) =>
    fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: sent[i % sent.length]!,
    }),
  );
});
const rows = await measureInTurns(contenders, Number(seconds), Number(repeats));
console.log(JSON.stringify(rows, null, 2));
