/** @module Tests that a fault in an addon fails its suite on each runtime, even if the exit code is 0. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { runPart } from './suite.ts';
import { suites } from './suites.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-sanitizer-'));
after(() => rmSync(folder, { recursive: true }));

const context = {
  scratch: folder,
  limitMs: 60_000,
  env: {},
  signal: new AbortController().signal,
};
const fixture = path.join(import.meta.dirname, 'planted-fault.fixture.ts');
const launchers: Readonly<Record<string, readonly string[]>> = {
  bun: ['node_modules/.bin/bun'],
  deno: [`node_modules/@deno/linux-${process.arch}-glibc/deno`, 'run', '-A', '--no-check'],
  node: ['node', '--import', 'tsx'],
};

function build(sanitizer: string): string {
  const addon = path.join(folder, `${sanitizer}.node`);
  execFileSync('cc', [
    ...['-shared', '-fPIC', '-g', `-fsanitize=${sanitizer}`],
    ...['-isystem', 'node_modules/node-api-headers/include'],
    ...['-o', addon, path.join(import.meta.dirname, 'planted-fault.fixture.c')],
  ]);
  return addon;
}

for (const sanitizer of ['address', 'thread']) {
  describe(`a fault for the ${sanitizer} sanitizer`, () => {
    const addon = build(sanitizer);
    for (const [runtime, launcher] of Object.entries(launchers)) {
      test(`a fault is found on ${runtime}`, async () => {
        const name = `${runtime}: addon with ${sanitizer} sanitizer`;
        const real = suites.find((suite) => suite.name === name && suite.run === 'verify');
        assert.ok(real, `there is no suite ${name}`);
        const { alarm, env } = real;
        const command = () => [...launcher, fixture, addon];
        const suite = { name, command, ...(alarm && { alarm }), ...(env && { env }) };
        const part = { files: [], whole: true };
        const selected = { ...part, suite, missing: [] };
        const { cases } = await runPart(selected, { ...part, alone: false }, {}, context);
        const failed = cases.filter(({ outcome }) => outcome === 'failed');
        assert.ok(
          failed.some((entry) => /Sanitizer/.test(entry.name)),
          JSON.stringify(cases),
        );
      });
    }
  });
}
