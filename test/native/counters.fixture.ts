/** @module Creates series until the table is full, and prints the outcome. */
import type { MillraceError } from '../../native/index.ts';
import { open } from './support.ts';

const engine = open();
const { counters } = engine;
let refusal: string | undefined;
for (let index = 0; refusal === undefined; index++) {
  try {
    counters.series(`series ${index}`, [1]);
  } catch (error) {
    refusal = (error as MillraceError).code;
  }
}
counters.observe(counters.series('series 4095', [1]), 0.5);
const all = counters.snapshot();
const last = all.find(({ key }) => key === 'series 4095');
console.log(JSON.stringify({ code: refusal, series: all.length, count: last?.histogram.count }));
await engine.close();
