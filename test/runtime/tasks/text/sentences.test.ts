import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { splitSentences } from '../../../../runtime/tasks/text/sentences.ts';

/** Texts whose sentences are divided by `|`, which is not part of the text. */
const LABELLED = [
  'The council voted on Monday.| The bridge was built in 1931.| It will close.',
  'Dr. Smith met Mr. J. R. Jones and Prof. Lee.| They agreed.',
  'He paid $3.50 for it, i.e. almost nothing.| She paid more.',
  'Washington D.C. is humid in July.| It rains.',
  'The firm, Acme Inc. of Boston, was sold.| Nobody knows why.',
  'See Fig. 3 and pp. 12–14, e.g. the second row.| It works.',
  'Smith et al. wrote it in 2019.| See also vol. 2.',
  'The meeting is at 5 p.m. on Friday.| Please come.',
  '“Really?” she asked.| “Yes!”| He left.',
  '"Is it over?" he asked.| Nobody answered.',
  'Version 1.2.3 is out.| Visit www.example.com for it.| Bye!',
  'Wait... what did you say?| Nothing.',
  'Is it true?! | It is.',
  'He was born on Jan. 5 in St. Louis.| He died there.',
  'We sell cables, plugs, etc. and repair them.| Call us.',
  'I came, I saw, I left.| That was I.| The rest is history.',
  'The U.S. economy grew by 2.5 percent.| Exports fell.',
  '1. Open the box.|\n2. Remove the cover.|\n3. Press the button.',
  '- first item|\n- second item|\n- third item',
  'A heading\n|\nThe first paragraph has a sentence.| And another.',
  'This line is wrapped\nat a width, and goes on\nin the next line.| This one does not.',
  '我喜欢猫。|你呢？|很好！',
  '今日は雨です。|明日は晴れるでしょう。',
  '그는 집에 갔다.| 나는 학교에 갔다.',
  'Er kam z.B. am 3. Mai an.| Das war gut.| Nr. 5 lebt.',
  'Il est arrivé à 8 h.| M. Dupont l’attendait.| Mme Durand aussi.',
  'هل أنت بخير؟| نعم، شكرا.',
  'यह एक वाक्य है।| यह दूसरा है।',
  '¿Qué hora es?| Son las tres.| ¡Vamos!',
  'The price rose 3.2%.| (Analysts had expected 4.)| Shares fell.',
  'She said: "I am late." | Then she ran.',
  'The file is named read.me.txt.| Open it.',
  'Go to step 4.| Then stop.',
  'No. 7 won the race, vs. all odds.| The crowd cheered.',
];

const plain = (labelled: string) => labelled.replaceAll('|', '');

function labelledEnds(labelled: string): Set<number> {
  const ends = new Set<number>();
  let length = 0;
  for (const part of labelled.split('|')) {
    const text = part.trimEnd();
    ends.add(length + text.length);
    length += part.length;
  }
  return ends;
}

/** How well boundaries agree with the labels: the harmonic mean of precision and recall. */
function f1(found: readonly Set<number>[]): number {
  let [right, extra, missed] = [0, 0, 0];
  LABELLED.forEach((labelled, i) => {
    const expected = labelledEnds(labelled);
    for (const end of found[i]!)
      if (expected.has(end)) right += 1;
      else extra += 1;
    for (const end of expected) if (!found[i]!.has(end)) missed += 1;
  });
  return (2 * right) / (2 * right + extra + missed);
}

describe('sentences', () => {
  for (const labelled of LABELLED) {
    test(plain(labelled).slice(0, 60), async () => {
      const text = plain(labelled);
      const found = await splitSentences(text);
      const parts = found.map(({ start, end }) => text.slice(start, end));
      const expected = labelled.split('|').map((part) => part.trim());
      assert.deepEqual(parts, expected);
    });
  }

  test('agree better with the labels than the boundaries of ICU alone', async () => {
    const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });
    const ours: Set<number>[] = [];
    const icu: Set<number>[] = [];
    for (const labelled of LABELLED) {
      const text = plain(labelled);
      ours.push(new Set((await splitSentences(text)).map(({ end }) => end)));
      icu.push(
        new Set(
          [...segmenter.segment(text)].map(
            ({ index, segment }) => index + segment.trimEnd().length,
          ),
        ),
      );
    }
    assert.ok(f1(icu) < f1(ours) - 0.05, `ICU alone has ${f1(icu)}`);
    assert.ok(f1(ours) >= 0.99, `we have ${f1(ours)}`);
  });

  test('are slices in order that hold every letter of the text', async () => {
    const piece = fc.constantFrom(
      ...[
        'Dr. ',
        'It is. ',
        'a.',
        '\n',
        ' ',
        '“No?” ',
        '我。',
        '🙂',
        '1. ',
        'e\u0301',
        '...',
        '\u200b',
      ],
    );
    const texts = fc.array(fc.oneof(piece, fc.string({ unit: 'grapheme' })), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(texts, async (pieces) => {
        const text = pieces.join('');
        const found = await splitSentences(text);
        let last = 0;
        for (const { start, end } of found) {
          assert.doesNotMatch(text.slice(last, start), /[\p{L}\p{N}]/u);
          assert.ok(start >= last && end > start);
          assert.equal(text.slice(start, end), text.slice(start, end).trim());
          last = end;
        }
        assert.doesNotMatch(text.slice(last), /[\p{L}\p{N}]/u);
      }),
    );
  });

  test('of a long text are found in many turns of the event loop', async () => {
    const text = 'This is a sentence that says something about it. '.repeat(84_000);
    let turns = 0;
    const beat = setInterval(() => {
      turns += 1;
    }, 0);
    const found = await splitSentences(text);
    clearInterval(beat);
    assert.equal(found.length, 84_000);
    // A turn takes 4 ms of the 80 ms and more that the text takes.
    assert.ok(turns >= 4, `${turns} turns`);
  });

  test('of a line that is one sentence of a million characters are one', async () => {
    const found = await splitSentences('x'.repeat(1_000_000));
    assert.deepEqual([found.at(0)!.start, found.at(-1)!.end], [0, 1_000_000]);
  });
});
