/**
 * `npm run bench`: measures, prints tables and gates, writes JSON.
 *
 * @module
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { contenders } from './contenders/index.ts';
import { drivers } from './drivers/index.ts';
import { buildPrograms } from './lib/build.ts';
import { describeEnvironment, type Environment } from './lib/environment.ts';
import { gateTable } from './lib/gates.ts';
import { findModels, modelNames } from './lib/models.ts';
import { gatesOf, judgeTargets, targetTable } from './lib/target-table.ts';
import { suites } from './suites/index.ts';
import type { Plan, SuiteResult } from './suites/types.ts';
import { cases } from './suites/v2/cases.ts';
import { targets } from './targets.ts';

const ROOT = resolve(import.meta.dirname, '..');

interface Flags {
  suite: string[];
  model: string[];
  contender: string[];
  case: string[];
  driver: string;
  repeats: number;
  seconds: number;
  connections: number[];
  quick: boolean;
  json?: string;
}

const choice = (flag: string, description: string, names: readonly string[]) =>
  new Option(`${flag} <name...>`, description).choices(names).default(names, 'all');
const number = (text: string) => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
};

function readFlags(): Flags {
  const command = new Command('bench')
    .description('Measures millrace beside its floors and its peers on this machine.')
    .addOption(choice('--suite', 'suites to run', Object.keys(suites)))
    .addOption(choice('--model', 'models of the throughput and block suites', modelNames()))
    .addOption(
      choice(
        '--contender',
        'contenders of the throughput suite',
        contenders.map((c) => c.name),
      ),
    )
    .addOption(
      choice(
        '--case',
        'cases of the v2 suite',
        cases.map((c) => c.name),
      ),
    )
    .addOption(
      new Option('--driver <name>', 'load driver')
        .choices(drivers.map((d) => d.name))
        .default('autocannon'),
    )
    .option('--repeats <n>', 'measurements of each figure', number, 5)
    .option('--seconds <s>', 'length of one measurement', number, 2.5)
    .option(
      '--connections <list>',
      'requests in flight, separated by commas',
      (list) => list.split(',').map(number),
      [1, 8, 64],
    )
    .option('--quick', 'a look, not a judgement: 2 repeats of 1 second, 1 and 64 in flight', false)
    .option(
      '--json <file>',
      'where to write the figures (default: bench/results/<date>-<commit>.json)',
    );
  const flags = command.parse().opts<Flags>();
  if (!flags.quick) return flags;
  const given = command.getOptionValueSource('connections') !== 'default';
  const connections = given ? flags.connections : [1, 64];
  return { ...flags, repeats: 2, seconds: 1, connections };
}

/** The results of the suites; a suite that failed has the reason. */
interface Outcome {
  readonly results: readonly SuiteResult[];
  readonly broken: readonly { readonly name: string; readonly reason: string }[];
}

async function main(): Promise<number> {
  const flags = readFlags();
  const driver = drivers.find(({ name }) => name === flags.driver)!;
  const environment = await describeEnvironment(await driver.version());
  let built: Promise<string> | undefined;
  const scratch = await mkdtemp(join(tmpdir(), 'bench-'));
  try {
    const plan: Plan = {
      driver,
      models: await findModels(flags.model),
      contenders: contenders.filter(({ name }) => flags.contender.includes(name)),
      cases: flags.case,
      connections: flags.connections,
      repeats: flags.repeats,
      seconds: flags.seconds,
      programs: () => (built ??= buildPrograms(ROOT)),
      scratch,
      log: (text) => process.stderr.write(text),
    };
    return await report(flags, environment, await runSuites(plan, flags.suite));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function runSuites(plan: Plan, names: readonly string[]): Promise<Outcome> {
  const results: SuiteResult[] = [];
  const broken: { name: string; reason: string }[] = [];
  for (const [i, name] of names.entries()) {
    plan.log(`Suite ${i + 1} of ${names.length}: ${name}\n`);
    try {
      results.push(await suites[name]!(plan));
    } catch (error) {
      // The results of the other suites are still valid.
      const reason = error instanceof Error ? error.message : String(error);
      plan.log(`The suite ${name} broke: ${reason}\n`);
      broken.push({ name, reason });
    }
  }
  return { results, broken };
}

/** Prints and writes the figures. Returns the exit code. */
async function report(flags: Flags, environment: Environment, outcome: Outcome): Promise<number> {
  const { results, broken } = outcome;
  const figures = results.flatMap((result) => result.figures);
  const gates = [...results.flatMap((result) => result.gates), ...gatesOf(targets, figures)];
  const ran = results.map(({ name }) => name);
  const judged = judgeTargets(targets, figures, ran);
  for (const { text } of results) console.log(`${text}\n`);
  if (gates.length > 0) console.log(`${gateTable(gates)}\n`);
  console.log(targetTable(judged));
  for (const { name, reason } of broken) console.log(`\nFAIL  suite ${name}: ${reason}`);

  const file = flags.json ?? resultFile(environment);
  const { json: _, ...settings } = flags;
  const measured = results.map(({ name, data }) => ({ name, data }));
  const content = { environment, settings, gates, targets: judged, broken, results: measured };
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(content, null, 1)}\n`);
  console.log(`\nWritten to ${file}`);
  return broken.length > 0 || gates.some((gate) => gate.verdict === 'FAIL') ? 1 : 0;
}

function resultFile({ date, commit }: { date: string; commit: string }): string {
  const day = date.slice(0, 16).replace(/:/g, '');
  return join(import.meta.dirname, 'results', `${day}-${commit.slice(0, 12)}.json`);
}

process.exitCode = await main();
