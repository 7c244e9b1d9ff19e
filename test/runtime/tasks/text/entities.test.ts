/** @module Entities of texts, compared with transformers' TokenClassificationPipeline. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { type Entity, entities } from '../../../../runtime/tasks/text/entities.ts';
import { tagsOf } from '../../../../runtime/tasks/text/entity-labels.ts';
import { EntityMerger } from '../../../../runtime/tasks/text/merge-entities.ts';
import { RowOutputs } from '../../../../runtime/tasks/text/rows.ts';
import type { Aggregation } from '../../../../runtime/tasks/text/token-scores.ts';
import { assertNear, type Models, openModels, referenceOf, refused, textsOf } from './support.ts';

const NAMES = ['bert-ner', 'bert-ner-bioes', 'deberta-ner'];
const AGGREGATIONS = ['none', 'simple', 'first', 'average', 'max'] as const;
const TOLERANCE = 1e-5;

interface ReferenceEntity {
  readonly entity?: string;
  readonly entity_group?: string;
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

type ByAggregation = Readonly<Record<Aggregation, readonly ReferenceEntity[]>>;

interface Reference {
  readonly texts: readonly {
    readonly text: string;
    /** One row for each token; of some texts only. */
    readonly logits?: readonly (readonly number[])[];
    readonly entities: ByAggregation;
  }[];
  readonly stride: number;
  readonly windows: readonly { readonly index: number; readonly entities: ByAggregation }[];
}

let models: Models;
before(async () => {
  models = await openModels(NAMES);
});
after(() => models[Symbol.asyncDispose]());

function assertEntities(
  actual: readonly Entity[],
  expected: readonly ReferenceEntity[],
  about: string,
): void {
  const spans = actual.map(({ label, start, end }) => [label, start, end]);
  const wanted = expected.map(({ entity, entity_group, start, end }) => [
    entity ?? entity_group,
    start,
    end,
  ]);
  assert.deepEqual(spans, wanted, about);
  assertNear(
    actual.map(({ score }) => score),
    expected.map(({ score }) => score),
    TOLERANCE,
    about,
  );
}

for (const name of NAMES) {
  describe(name, () => {
    const { texts, stride, windows } = referenceOf<Reference>(name);
    const all = texts.map(({ text }) => text);
    const ask = async (input: Omit<Parameters<typeof entities.prepare>[1], 'texts' | 'placeOf'>) =>
      (await models.ask(entities, name, { ...textsOf(all), ...input })).results;

    for (const aggregation of AGGREGATIONS) {
      test(`has the entities of the pipeline with the strategy ${aggregation}`, async () => {
        const offsetUnit = 'codepoint';
        const results = await ask({ aggregation, offsetUnit, truncate: true });
        for (const [i, { entities: found }] of results.entries()) {
          assertEntities(found, texts[i]!.entities[aggregation], `${i}: ${all[i]}`);
        }
      });
    }

    test('has the logits of the model', async () => {
      const compared = texts.filter(({ logits }) => logits !== undefined);
      assert.ok(compared.length > 0);
      const watched: typeof entities = {
        ...entities,
        answer(model, results, context) {
          const outputs = new RowOutputs(model, context.rows, results);
          for (const [i, { logits, text }] of compared.entries()) {
            const numbers = logits!.flat();
            assertNear(outputs.of(i).data.subarray(0, numbers.length), numbers, 1e-4, text);
          }
          return entities.answer(model, results, context);
        },
      };
      const input = { ...textsOf(compared.map(({ text }) => text)), truncate: true };
      await models.ask(watched, name, input);
    });

    test('counts places in three units', async () => {
      for (const aggregation of AGGREGATIONS) {
        const [utf16, codepoint, utf8] = await Promise.all([
          ask({ aggregation }),
          ask({ aggregation, offsetUnit: 'codepoint' }),
          ask({ aggregation, offsetUnit: 'utf8' }),
        ]);
        for (const [i, text] of all.entries()) {
          const points = [...text];
          const bytes = Buffer.from(text);
          for (const [j, entity] of utf16[i]!.entities.entries()) {
            assert.equal(text.slice(entity.start, entity.end), entity.text);
            const inPoints = codepoint[i]!.entities[j]!;
            assert.equal(points.slice(inPoints.start, inPoints.end).join(''), entity.text);
            const inBytes = utf8[i]!.entities[j]!;
            assert.equal(bytes.subarray(inBytes.start, inBytes.end).toString(), entity.text);
          }
        }
      }
    });

    test('has an entity wherever the pipeline has one in a text of several windows', async () => {
      for (const aggregation of ['simple', 'first', 'average', 'max'] as const) {
        const results = await ask({ aggregation, offsetUnit: 'codepoint', stride });
        for (const { index, entities: expected } of windows) {
          const found = results[index]!.entities;
          // The pipeline prefers the longer one where windows disagree.
          for (const { start, end } of expected[aggregation]) {
            assert.ok(found.some((each) => each.start < end && start < each.end));
          }
          for (const [i, { start }] of found.entries()) {
            assert.ok(i === 0 || found[i - 1]!.end <= start);
          }
        }
      }
    });

    test('answers the texts of a list as each alone, in any order', async () => {
      const order = fc.shuffledSubarray([...all.keys()], { minLength: 1 });
      await fc.assert(
        fc.asyncProperty(order, fc.constantFrom(...AGGREGATIONS), async (places, aggregation) => {
          const some = places.map((i) => all[i]!);
          const input = { ...textsOf(some), aggregation };
          const { results } = await models.ask(entities, name, input);
          for (const [i, text] of some.entries()) {
            const alone = await models.ask(entities, name, { ...textsOf([text]), aggregation });
            const expected = alone.results[0]!.entities;
            assertEntities(
              results[i]!.entities,
              expected.map(({ label, ...each }) => ({ ...each, entity: label })),
              text,
            );
          }
        }),
        { numRuns: 10 },
      );
    });
  });
}

describe('the entities of a response', () => {
  const text = textsOf(['Maria Lopez works for Northwind Traders in Lisbon.']);
  const ask = async (input: object) => {
    const { results } = await models.ask(entities, 'bert-ner-bioes', { ...text, ...input });
    return results[0]!.entities;
  };

  test('have at least the score that is asked for', async () => {
    const all = await ask({});
    const threshold = 0.6;
    const some = await ask({ threshold });
    assert.ok(some.length > 0 && some.length < all.length);
    assert.deepEqual(
      some,
      all.filter(({ score }) => score >= threshold),
    );
  });

  test('are not left out because of the decimals that a response has', async () => {
    const [{ score }] = (await ask({})) as [Entity];
    const kept = await ask({ threshold: score });
    assert.ok(kept.some((each) => each.score === score));
    const fewer = await ask({ threshold: score + Number.EPSILON });
    assert.ok(!fewer.some((each) => each.score === score));
  });

  test('have the labels that are asked for', async () => {
    const all = await ask({});
    const labels = ['PER', 'ORG'];
    const some = await ask({ labels });
    assert.ok(some.length > 0 && some.length < all.length);
    assert.deepEqual(
      some,
      all.filter(({ label }) => labels.includes(label)),
    );
    const tokens = await ask({ aggregation: 'none' });
    assert.deepEqual(
      await ask({ aggregation: 'none', labels: ['PER'] }),
      tokens.filter(({ label }) => label.endsWith('-PER')),
    );
    assert.deepEqual(
      await ask({ aggregation: 'none', labels: ['B-PER'] }),
      tokens.filter(({ label }) => label === 'B-PER'),
    );
    await assert.rejects(
      ask({ labels: ['PER', 'ANIMAL'] }),
      refused('INVALID_ARGUMENT', /labels\[1\] is "ANIMAL".*PER, ORG, LOC/),
    );
  });

  test('are none in a text without tokens', async () => {
    const { results, usage } = await models.ask(entities, 'deberta-ner', textsOf(['']));
    assert.deepEqual(results, [{ entities: [] }]);
    assert.equal(usage.tokens, 2);
  });
});

describe('labels', () => {
  const names = (labels: readonly string[]) =>
    tagsOf(labels).map(({ type, begins, name }) => `${type} ${begins ? 'begins' : ''} ${name}`);

  test('are read in the schemes BIO, BIOES and BILOU', () => {
    for (const [single, last] of [
      ['S', 'E'],
      ['U', 'L'],
    ]) {
      assert.deepEqual(names(['O', 'B-PER', 'I-PER', `${single}-PER`, `${last}-PER`]), [
        'O  O',
        'PER begins PER',
        'PER  PER',
        'PER begins PER',
        'PER  PER',
      ]);
    }
  });

  test('are whole types without a scheme', () => {
    assert.deepEqual(names(['PER', 'E-MAIL', 'S-Bahn']), [
      'PER  PER',
      'E-MAIL  MAIL',
      'S-Bahn  Bahn',
    ]);
  });
});

describe('entities of windows that overlap', () => {
  /** Windows of 20 characters, each of which begins 10 after the one before it. */
  const STEP = 10;
  const entity = fc.record({
    window: fc.nat(5),
    from: fc.nat(19),
    length: fc.integer({ min: 1, max: 6 }),
    score: fc.integer({ min: 1, max: 5 }).map((score) => score / 5),
    isCut: fc.boolean(),
  });
  const overlap = (a: { start: number; end: number }, b: { start: number; end: number }) =>
    a.start < b.end && b.start < a.end;

  test('are those with the best scores, and whole ones before parts', () => {
    fc.assert(
      fc.property(fc.array(entity), (all) => {
        const found = all.map(({ window, from, length, ...each }) => {
          const start = window * STEP + from;
          return { ...each, window, start, end: Math.min(start + length, window * STEP + 20) };
        });
        const merger = new EntityMerger<(typeof found)[number]>();
        const merged = Array.from({ length: 6 }, (_, window) =>
          merger.add(
            found.filter((each) => each.window === window),
            window === 5 ? Number.POSITIVE_INFINITY : (window + 1) * STEP,
          ),
        ).flat();
        const rank = ({ isCut, score }: (typeof found)[number]) => (isCut ? 0 : 10) + score;
        for (const one of merged) {
          for (const other of merged) {
            assert.ok(one.window === other.window || !overlap(one, other));
          }
        }
        for (const lost of found.filter((each) => !merged.includes(each))) {
          const winner = merged.find(
            (each) =>
              each.window !== lost.window && overlap(each, lost) && rank(each) >= rank(lost),
          );
          assert.ok(winner);
        }
        for (const [i, { start }] of merged.entries()) {
          assert.ok(i === 0 || merged[i - 1]!.start <= start);
        }
        assert.equal(new Set(merged).size, merged.length);
      }),
    );
  });
});
