/** @module Tests that hostile and broken bodies are refused with a sentence, soon, and give back what they hold. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assertBelow } from '../../support/below.ts';
import { earlyRefusals, hostileBodies } from './hostile-bodies.ts';
import {
  type Arrival,
  bytesHeld,
  END,
  form,
  imagePart,
  part,
  refusal,
  type Sent,
} from './intake-support.ts';

/** Within this time of its last byte a body is refused, milliseconds. */
const LIMIT_MS = 200;
/** A busy machine may be slow once. */
const TRIES = 3;
/** The host reads so many bytes ahead. */
const AHEAD = 512 * 1024;

async function inTime(sent: Sent): Promise<string> {
  let found = '';
  await assertBelow(LIMIT_MS, TRIES, async () => {
    const arrival: Arrival = { bytes: 0, lastMs: performance.now() };
    found = await refusal(sent, arrival);
    return performance.now() - arrival.lastMs!;
  });
  return found;
}

describe('is refused:', () => {
  for (const [name, sent, code, words] of hostileBodies) {
    test(name, async () => {
      const found = await inTime(sent());
      const [foundCode] = found.split(' ');
      assert.deepEqual([foundCode, words.test(found)], [code, true], found);
      assert.match(found, /^\S+ \S[^\n]*\.$/);
      assert.equal(bytesHeld(), 0);
    });
  }
});

describe('is refused before its end arrives:', () => {
  for (const [name, sent, code, needed] of earlyRefusals) {
    test(name, async () => {
      const arrival: Arrival = { bytes: 0 };
      const found = await refusal(sent(), arrival);
      assert.equal(found.split(' ')[0], code);
      assert.ok(arrival.bytes >= needed && arrival.bytes <= needed + AHEAD, `${arrival.bytes}`);
      assert.equal(bytesHeld(), 0);
    });
  }
});

describe('is read:', () => {
  test('an image with a path and control characters in the name of its file', async () => {
    for (const filename of [
      '../../etc/passwd',
      'a\0.jpg',
      'C:\\x\\y.png',
      '',
      '"; x="',
      'ä'.repeat(2000),
    ]) {
      const name = filename.replaceAll('"', '\\"');
      assert.equal(
        await refusal(form(part(`name="image"; filename="${name}"`, 'abc'))),
        'read',
        filename,
      );
    }
  });

  test('an image of boundaries that are none', async () => {
    assert.equal(
      await refusal(form(imagePart(`\r\n--edg\r\n${END.slice(2)}--\r\n-edge--`))),
      'read',
    );
  });
});
