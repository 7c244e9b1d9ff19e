import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TextDeltas, untilStop } from '../../../../runtime/tasks/text/text-deltas.ts';
import type { TextTokenizer } from '../../../../runtime/text/tokenizer/index.ts';

/** A tokenizer whose ids are UTF-16 code units. */
const tokenizer = {
  stream: () => ({
    push: async (ids: ArrayLike<number>) => String.fromCharCode(...Array.from(ids)),
    end: async () => '',
  }),
} as unknown as TextTokenizer;

/** Sends the pieces, and returns the deltas and after how many pieces the generation was stopped. */
async function deltasOf(pieces: readonly string[], stops: readonly string[]) {
  const sent: string[] = [];
  const deltas = new TextDeltas(tokenizer, stops, (delta) => sent.push(delta));
  let stopped = 0;
  for (const piece of pieces) {
    const codes = Int32Array.from(piece, (character) => character.charCodeAt(0));
    deltas.onTokens(codes, () => {
      stopped += 1;
    });
  }
  await deltas.finish(untilStop(pieces.join(''), stops).text);
  return { sent, stopped };
}

describe('deltas', () => {
  test('are the text piece by piece', async () => {
    assert.deepEqual(await deltasOf(['Hello', ',', ' you'], []), {
      sent: ['Hello', ',', ' you'],
      stopped: 0,
    });
  });

  test('end before a stop string, also if it comes in pieces', async () => {
    const { sent, stopped } = await deltasOf(['Hello\n', '\nUs', 'er: more'], ['\n\nUser:']);
    assert.deepEqual(sent, ['Hello']);
    assert.equal(stopped, 1);
  });

  test('hold back what may be a stop string, and send it if it is none', async () => {
    assert.deepEqual((await deltasOf(['a<', 'b'], ['<end>'])).sent, ['a', '<b']);
    assert.deepEqual((await deltasOf(['a<en'], ['<end>'])).sent, ['a', '<en']);
  });

  test('end at the stop string that is complete first, whatever follows', async () => {
    for (const pieces of [['b', 'a', 'b'], ['ba', 'b'], ['bab']]) {
      const { sent, stopped } = await deltasOf(pieces, ['bab', 'a']);
      assert.equal(sent.join(''), 'b');
      assert.equal(stopped, 1);
    }
    assert.deepEqual(untilStop('xab', ['b', 'ab']), { text: 'x', stopped: true });
  });

  test('together are the text up to the first stop string', async () => {
    const pieces = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c') }), { maxLength: 12 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1 }), {
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(pieces, stops, async (parts, ends) => {
        const { sent, stopped } = await deltasOf(parts, ends);
        const { text, stopped: ended } = untilStop(parts.join(''), ends);
        assert.equal(sent.join(''), text);
        assert.equal(stopped, ended ? 1 : 0);
        assert.ok(sent.every((delta) => delta !== ''));
      }),
      { numRuns: 2000 },
    );
  });

  test('that cannot be made stop the generation, and are the error of its end', async () => {
    const failing = {
      stream: () => ({
        push: () => Promise.reject(new Error('no such token')),
        end: async () => '',
      }),
    } as unknown as TextTokenizer;
    const deltas = new TextDeltas(failing, [], () => {});
    const stopped = new Promise<void>((resolve) => deltas.onTokens(Int32Array.of(1), resolve));
    await stopped;
    await assert.rejects(deltas.finish(''), /no such token/);
  });
});
