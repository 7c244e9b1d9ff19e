/** @module The labels of the tokens of a window, and of the words that they are part of. */

import type { ShortTurns } from '../../short-turns.ts';
import type { TokenWindow } from '../../text/tokenizer/index.ts';
import { highestOf, type Likeliest, likeliest, softmax } from '../scores.ts';
import type { RowOutput } from './rows.ts';

/**
 * How tokens become entities; the strategies of transformers. `none`: each token is one. `simple`: neighbouring tokens of the same
 * type are one. The others give the tokens of a word one label before that: that of its `first` token, of the token with
 * the highest score (`max`), or the best of the `average` scores.
 */
export type Aggregation = 'none' | 'simple' | 'first' | 'average' | 'max';

/** A token, or a word, with its most probable label. */
export interface Labelled {
  /** In code points. */
  readonly start: number;
  readonly end: number;
  readonly label: number;
  readonly score: number;
  /** Whether it has the first, or the last token of its window. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** A token of the text. */
interface Token {
  readonly start: number;
  readonly end: number;
  /** Whether it continues the word of the token before it. */
  readonly continues: boolean;
  /** Its place among the tokens of its window. */
  readonly index: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** Tells whether a token continues the word of the token before it. */
export type Continues = (id: number, start: number, end: number) => boolean;

/** Tokens that are labelled without a look at the time. */
const STEP = 256;

/** The labelled tokens or words of a window. */
export async function labelWindow(
  window: TokenWindow,
  output: RowOutput,
  aggregation: Aggregation,
  continues: Continues,
  turns: Pick<ShortTurns, 'pause'>,
): Promise<readonly Labelled[]> {
  const isByWord = aggregation !== 'none' && aggregation !== 'simple';
  const labelled: Labelled[] = [];
  let word: Token[] = [];
  let count = 0;
  for (const token of tokensOf(window, isByWord ? continues : never)) {
    if (word.length > 0 && !token.continues) {
      labelled.push(labelWord(word, output, aggregation));
      word = [];
    }
    word.push(token);
    count += 1;
    if (count % STEP === 0) await turns.pause();
  }
  if (word.length > 0) labelled.push(labelWord(word, output, aggregation));
  return labelled;
}

const never: Continues = () => false;

function* tokensOf(
  { ids, special, own, offsets }: TokenWindow,
  continues: Continues,
): Generator<Token> {
  let seen = 0;
  for (let i = 0; i < ids.length; i += 1) {
    if (special[i] === 1) continue;
    const start = offsets![2 * i]!;
    const end = offsets![2 * i + 1]!;
    seen += 1;
    yield {
      ...{ start, end },
      continues: continues(ids[i]!, start, end),
      index: i,
      isFirst: seen === 1,
      isLast: seen === own,
    };
  }
}

function labelWord(
  tokens: readonly Token[],
  output: RowOutput,
  aggregation: Aggregation,
): Labelled {
  const { start, isFirst } = tokens[0]!;
  const { end, isLast } = tokens.at(-1)!;
  const { label, score } = likeliestOf(tokens, output, aggregation);
  return { start, end, label, score, isFirst, isLast };
}

/** The most probable label of a word. */
function likeliestOf(
  tokens: readonly Token[],
  { data, dims }: RowOutput,
  aggregation: Aggregation,
): Likeliest {
  const labels = dims[1]!;
  const of = ({ index }: Token) => likeliest(data, index * labels, (index + 1) * labels);
  const first = of(tokens[0]!);
  if (tokens.length === 1 || aggregation === 'first') return first;
  if (aggregation === 'max') {
    return tokens.map(of).reduce((best, each) => (each.score > best.score ? each : best), first);
  }
  const mean = new Float64Array(labels);
  for (const { index } of tokens) {
    const scores = softmax(data, index * labels, (index + 1) * labels);
    for (let i = 0; i < labels; i += 1) mean[i]! += scores[i]! / tokens.length;
  }
  const label = highestOf(mean);
  return { label, score: mean[label]! };
}
