/**
 * Measures how long the thread of the requests is busy at a time while large photos are sent: `bun gaps.ts MODELS PHOTO
 * CONNECTIONS ROUNDS`, where MODELS is a folder of models with one that classifies images. The service runs on the same runtime.
 *
 * Each round sends the photo over all connections at once: alone, in a form, in JSON, and, to tell what receiving costs from
 * what decoding does, as bytes that are refused by their start. Prints for each kind how many turns of the event loop took more
 * than 5 ms of CPU time of the thread, and the longest ones, in milliseconds. Several short turns count as one if the clock of
 * the thread is late.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ServiceChild } from '../../test/support/child.ts';

const GOAL_MS = 5;
const LONGEST = 5;
const BOUNDARY = 'millrace-bench';
const [models, photo, connections, rounds] = process.argv.slice(2);
const file = readFileSync(photo!);

const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo"\r\n\r\n`;
const KINDS = {
  refused: { type: 'image/jpeg', body: Buffer.alloc(file.length, 'no image ') },
  file: { type: 'image/jpeg', body: file },
  form: {
    type: `multipart/form-data; boundary=${BOUNDARY}`,
    body: Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]),
  },
  json: {
    type: 'application/json',
    body: Buffer.from(JSON.stringify({ image: file.toString('base64') })),
  },
} as const;

const settings = {
  ...{ MODEL_PATH: models!, SERVICE: 'vision', PORT: '0', SHORTEST_TURN_MS: '1' },
  CACHE_DIR: path.join(tmpdir(), 'millrace-gaps'),
};
await using child = new ServiceChild('test/e2e/turns.fixture.ts', settings);
const url = `http://127.0.0.1:${await child.port()}/classify`;

for (const [kind, { type, body }] of Object.entries(KINDS)) {
  const send = async () => {
    const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': type }, body });
    await response.arrayBuffer();
    return response.status;
  };
  const first = child.log.length;
  const statuses = new Set<number>();
  for (let round = 0; round < Number(rounds); round += 1) {
    const all = await Promise.all(Array.from({ length: Number(connections) }, send));
    for (const status of all) statuses.add(status);
  }
  const turns = child.log
    .slice(first)
    .flatMap(({ msg, ms }) => (msg === 'turn' ? [Number(ms)] : []))
    .sort((a, b) => b - a);
  const row = {
    ...{ kind, statuses: [...statuses] },
    overGoal: turns.filter((ms) => ms > GOAL_MS).length,
    longest: turns.slice(0, LONGEST).map((ms) => Number(ms.toFixed(1))),
  };
  console.log(JSON.stringify(row));
}
