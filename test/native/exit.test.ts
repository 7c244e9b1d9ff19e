/** @module However a process ends, it ends at once, with its own exit code, and without output. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ended, runChild } from './child.ts';
import { repetitions } from './support.ts';

interface Expectation {
  readonly code?: number;
  readonly signal?: NodeJS.Signals;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

const silent = /^$/;
const exits = { code: 3, stdout: /^exit \d+\n$/ };

/** What is expected of the scenarios in `exit.fixture.ts`. */
const kinds: Readonly<Record<string, Expectation>> = {
  'natural exit': {},
  'natural exit, engine not closed': {},
  'natural exit, runs in flight': { stdout: /^45 results\n$/ },
  'process.exit, runs in flight': exits,
  'process.exit, in a long loop': exits,
  'process.exit, load in flight': exits,
  'process.exit, in a long generation': exits,
  'process.exit, Workers in mid-run': exits,
  'SIGTERM, runs in flight': { signal: 'SIGTERM', stdout: /^exit \d+\n$/ },
  'SIGTERM, with a handler that closes': { stdout: /^45 results\n$/ },
};

/** Variants of the scenarios above, which are repeated less often. */
const variants: Readonly<Record<string, Expectation>> = {
  'natural exit, engine never used': {},
  'natural exit, load in flight': { stdout: /^loaded\n$/ },
  'natural exit, close in mid-run': { stdout: /^45 results\nclosed\n$/ },
  'natural exit, generations in flight': { stdout: /^3 results\n$/ },
  'process.exit, nothing loaded': exits,
  'process.exit, generations of Workers': exits,
  'process.exit, loading generators': exits,
  'process.exit, closing': exits,
  'process.exit, many engines': exits,
  'process.exit, Workers loading, no engine here': exits,
  'SIGTERM, with a handler that exits': exits,
  'uncaught exception, runs in flight': { code: 1, stdout: /^exit \d+\n$/, stderr: /on purpose/ },
};

/** The engine cuts runs short at exit, but a single long node cannot be interrupted. */
const exitLimitMs = 2_500;

function check(ended: Ended, expected: Expectation): void {
  const { code, signal, stderr, stdout, timedOut } = ended;
  const wanted = {
    code: expected.signal ? null : (expected.code ?? 0),
    signal: expected.signal ?? null,
  };
  const got = { code, signal, stdout, stderr, timedOut };
  assert.deepEqual({ code, signal, timedOut }, { ...wanted, timedOut: false }, JSON.stringify(got));
  assert.match(stdout, expected.stdout ?? silent);
  assert.match(stderr, expected.stderr ?? silent);
  const [, at] = stdout.match(/^exit (\d+)$/m) ?? [];
  if (at !== undefined) {
    const took = ended.at - Number(at);
    assert.ok(took <= exitLimitMs, `it took ${took} ms to end`);
  }
}

function suite(times: number, scenarios: Readonly<Record<string, Expectation>>): void {
  describe(`each of ${times} processes ends as expected:`, () => {
    for (const [name, expected] of Object.entries(scenarios)) {
      test(name, { timeout: times * 30_000 }, async () => {
        let left = times;
        const runSome = async () => {
          while (left-- > 0) check(await runChild('exit.fixture.ts', [name]), expected);
        };
        await Promise.all([runSome(), runSome()]);
      });
    }
  });
}

suite(repetitions, kinds);
suite(Math.ceil(repetitions / 4), variants);
