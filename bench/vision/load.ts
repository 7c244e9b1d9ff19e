/**
 * Measures servers that classify images in turns: `bun load.ts FOLDER CONNECTIONS SECONDS REPEATS NAME=URL|NAME=COMMAND …`.
 *
 * To a server every connection sends a file of the folder as the field `image` of a form, and the next one when it has the
 * response. A command, which is whatever is no URL, prints the rate it has measured itself, as `raw.mjs` does. Prints for each
 * contender the images per second of each repeat, their median, and the median, least and largest ratio to the first contender
 * of the same repeat, as JSON.
 *
 * @module
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { contendersOf, keepBusy, measureInTurns } from '../lib/in-turns.ts';

const [folder, connections, seconds, repeats, ...named] = process.argv.slice(2);
const names = (await readdir(folder!)).filter((name) => name.endsWith('.jpg')).sort();
const BOUNDARY = 'millrace-bench';

// The forms are made once, so that the driver takes little of the cores that the servers need.
const forms = await Promise.all(
  names.map(async (name) => {
    const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="${name}"\r\nContent-Type: image/jpeg\r\n\r\n`;
    const file = await readFile(path.join(folder!, name));
    return Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
  }),
);

const contenders = contendersOf(named, (url, time) =>
  keepBusy(Number(connections), time, (i) =>
    fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: forms[i % forms.length]!,
    }),
  ),
);
const rows = await measureInTurns(contenders, Number(seconds), Number(repeats));
console.log(JSON.stringify(rows, null, 2));
