/** @module `millrace conform`: checks any V2 server against the protocol. */

import { writeFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { exit } from '../../runtime/index.ts';
import { CASES, conform, PROFILES, type Profile, Server } from '../tools/conform/index.ts';
import { junit, resultLine, summary } from '../tools/conform/report.ts';
import { print, say } from './output.ts';
import { toUrl } from './server.ts';

interface Options {
  readonly model: string;
  readonly profile: readonly Profile[];
  readonly only?: string;
  readonly junit?: string;
  readonly json?: boolean;
  readonly list?: boolean;
  readonly timeout: number;
  readonly header?: Readonly<Record<string, string>>;
}

export function addConform(program: Command): void {
  program
    .command('conform')
    .description('Check any server of the Open Inference Protocol V2 against the protocol')
    .argument('[url]', 'the server', toUrl, 'http://localhost:8000')
    .option('--model <name>', 'a served model that takes any numbers', 'iris')
    .option('--profile <names...>', `what to check: ${PROFILES.join(', ')}`, toProfile, ['core'])
    .option('--only <text>', 'cases whose name contains the text')
    .option('--timeout <ms>', 'maximum time of a case, milliseconds', toMs, 30_000)
    .option('--header <name:value>', 'sent with every request; may be repeated', toHeader)
    .option('--junit <file>', 'write a JUnit report')
    .option('--json', 'print the results as JSON')
    .option('--list', 'list the cases without running them')
    .addHelpText(
      'after',
      '\nThe exit code is 1 if a case fails, and 3 if the server cannot be checked.',
    )
    .action(check);
}

async function check(url: string, options: Options): Promise<void> {
  const cases = CASES.filter(
    ({ id, profile }) => options.profile.includes(profile) && id.includes(options.only ?? ''),
  );
  if (cases.length === 0) exit(2, 'No case matches; see the names with --list');
  if (options.list) {
    const list = cases.map(({ id, profile, title }) => ({ id, profile, title }));
    const lineOf = ({ id, profile, title }: (typeof list)[number]) =>
      `${id}  [${profile}] ${title}`;
    return print(options, list, () => list.map(lineOf).join('\n'));
  }
  const { timeout: timeoutMs, header: headers = {}, model } = options;
  const server = await Server.open({ url, timeoutMs, headers }, model).catch((error: Error) =>
    exit(3, `Cannot check ${url}: ${error.message}`),
  );
  const results = await conform(server, cases, (result) => {
    if (!options.json) say(resultLine(result));
  });
  print(options, results, summary);
  if (options.junit !== undefined) await writeFile(options.junit, junit(results));
  if (results.some(({ outcome }) => outcome === 'failed')) exit(1);
}

function toMs(given: string): number {
  const ms = Number(given);
  if (Number.isInteger(ms) && ms > 0 && ms < 2 ** 31) return ms;
  throw new InvalidArgumentError('Write a whole number of milliseconds.');
}

/** Called once for each option name, with the result of the calls before it. */
function toProfile(given: string, earlier: readonly Profile[]): readonly Profile[] {
  if (given === 'all') return PROFILES;
  const profile = PROFILES.find((name) => name === given);
  if (profile === undefined) {
    throw new InvalidArgumentError(`There are ${PROFILES.join(', ')} and all.`);
  }
  return [...new Set(['core' as const, ...earlier, profile])];
}

function toHeader(given: string, earlier: Readonly<Record<string, string>> | undefined) {
  const colon = given.indexOf(':');
  if (colon < 1) throw new InvalidArgumentError('Write it as Name: value.');
  return { ...earlier, [given.slice(0, colon)]: given.slice(colon + 1).trim() };
}
