/** @module Tests that bodies of JSON that are long to look through leave the thread to other requests meanwhile. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openEngine } from '../../../native/index.ts';
import { BodyBudget, BodyShare, ServeError } from '../../../runtime/index.ts';
import { imageOfText } from '../../../services/vision/intake/base64-image.ts';
import { cutLongStrings } from '../../../services/vision/intake/long-strings.ts';
import { checkTurns } from '../../support/turns.ts';

const MIB = 1024 * 1024;

/** The head, and a unit of two characters up to so many bytes. */
function filled(bytes: number, head: string, unit: string): Uint8Array<ArrayBuffer> {
  const [first, second] = new TextEncoder().encode(unit) as unknown as [number, number];
  const body = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 2) {
    body[at] = first;
    body[at + 1] = second;
  }
  body.set(new TextEncoder().encode(head));
  return body;
}

describe('the turns of a thread are short while it looks through', () => {
  const BODIES: Readonly<Record<string, () => Uint8Array<ArrayBuffer>>> = {
    'a string without an end': () => filled(32 * MIB, '{"image":"', 'AA'),
    'quotes that are escaped': () => filled(8 * MIB, '{"image":"', '\\"'),
  };
  for (const [name, make] of Object.entries(BODIES)) {
    test(name, async (t) => {
      const body = make();
      const isRefused = (error: unknown) =>
        error instanceof ServeError && error.code === 'INVALID_JSON';
      await checkTurns(t, () => assert.rejects(cutLongStrings(body), isRefused));
    });
  }

  test('slashes that are escaped', async (t) => {
    const engine = openEngine();
    const budget = new BodyBudget(engine.codec.byteBudget(256 * MIB));
    const text = filled(2 * MIB, '', '\\/');
    await checkTurns(t, async () => {
      const decode = async () => new Uint8Array(1);
      const share = new BodyShare(budget);
      // It changes what it is given.
      await imageOfText(text.slice(), 'image', share, decode);
      share.close();
    });
    await engine.close();
  });
});
