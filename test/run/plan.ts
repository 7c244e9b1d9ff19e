/** @module Runs the selected suites as jobs, and prints the result of each when its last part has ended. */
import { availableParallelism } from 'node:os';
import { type Job, runJobs } from './jobs.ts';
import type { Case } from './junit.ts';
import {
  blockOf,
  costOf,
  failuresOf,
  type Heartbeat,
  mergeResults,
  type Say,
  totalOf,
} from './report.ts';
import { partsOf, type Selected } from './select.ts';
import { broken, prepare, type Result, type RunContext, runPart, unprepared } from './suite.ts';
import type { Preparation } from './types.ts';

/** A preparation and its job, which suites share by its name. */
interface Prepared {
  readonly preparation: Preparation;
  readonly job: Job;
  result: Result | undefined;
}

interface Row {
  readonly name: string;
  readonly cases: readonly Case[];
  readonly cpuSeconds: number;
  readonly unchanged?: boolean;
}

export class Plan {
  readonly #context: RunContext;
  readonly #say: Say;
  readonly #heartbeat: Heartbeat;
  readonly #slots = availableParallelism();
  readonly #prepared = new Map<string, Prepared>();
  readonly #rows: (Row | undefined)[] = [];

  constructor(context: RunContext, say: Say, heartbeat: Heartbeat) {
    this.#context = context;
    this.#say = say;
    this.#heartbeat = heartbeat;
  }

  /** Runs suites. @returns their results in order, without suites that did not start */
  async run(selected: readonly Selected[]): Promise<Row[]> {
    const jobs = selected.flatMap((entry, index) => this.#jobsOf(entry, index));
    // A preparation precedes the first suite that needs it.
    const all = new Set(jobs.flatMap((job) => [...job.needs, job]));
    await runJobs([...all], this.#slots, this.#context.signal);
    const preparations = [...this.#prepared.values()].flatMap(({ preparation, result }) =>
      result ? [{ name: preparation.name, ...result }] : [],
    );
    return [...preparations, ...this.#rows.filter((row) => row !== undefined)];
  }

  #prepare(preparation: Preparation): Prepared {
    const { name } = preparation;
    const known = this.#prepared.get(name);
    if (known) return known;
    const run = async (slots: number) => {
      prepared.result = await this.#work(name, () => prepare(preparation, slots, this.#context));
      this.#tell(name, prepared.result, failuresOf(prepared.result.cases) > 0 ? 'failed' : 'done');
    };
    const before = [...this.#prepared.values()].filter(
      (other) => other.preparation.place === preparation.place,
    );
    const prepared: Prepared = {
      preparation,
      job: { name, needs: before.map(({ job }) => job), alone: false, run },
      result: undefined,
    };
    this.#prepared.set(name, prepared);
    return prepared;
  }

  #jobsOf(selected: Selected, row: number): Job[] {
    const { suite, files, whole } = selected;
    const need = suite.needs?.(whole ? undefined : files);
    const prepared = need && this.#prepare(need);
    const parts = partsOf(selected, this.#slots);
    const results: Result[] = [];
    let left = parts.length;
    return parts.map((part, index) => {
      const name = parts.length > 1 ? `${suite.name} ${index + 1}/${parts.length}` : suite.name;
      const run = async (slots: number) => {
        const failed = prepared?.result && failuresOf(prepared.result.cases) > 0;
        results[index] = failed
          ? unprepared(suite.name, prepared.preparation.name)
          : await this.#work(name, () => runPart(selected, part, { index, slots }, this.#context));
        left -= 1;
        if (left > 0) return;
        const result = mergeResults(results);
        this.#rows[row] = { name: suite.name, ...result };
        this.#tell(suite.name, result, totalOf(result.cases));
      };
      return { name, needs: prepared ? [prepared.job] : [], alone: part.alone, run };
    });
  }

  #work(name: string, work: () => Promise<Result>): Promise<Result> {
    return this.#heartbeat.during(name, () => work().catch((error) => broken(name, error)));
  }

  #tell(name: string, result: Result, outcome: string): void {
    const label = `${name}: ${outcome} (${costOf(result)})`;
    for (const line of blockOf(label, result)) this.#say(line);
  }
}
