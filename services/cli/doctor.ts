/** @module `millrace doctor`: what runs where, what is missing, and the command that mends it. */

import type { Command } from 'commander';
import { processSources, readConfig, settingsInForce } from '../../runtime/index.ts';
import { services } from '../services.ts';
import { type Check, examine } from '../tools/doctor/index.ts';
import { print, table } from './output.ts';
import { Refused, type ServerOptions, withServer } from './server.ts';

export function addDoctor(program: Command): void {
  withServer(program.command('doctor').description('Tell what runs where, and what is missing'))
    .addHelpText('after', '\nThe exit code is 1 if something that is configured does not work.')
    .action(async (options: ServerOptions) => {
      // The arguments are those of this command, not of a server.
      const sources = { ...processSources(), argv: [] };
      const settings = settingsInForce(services, sources);
      const checks = await examine(readConfig(services, sources), options.url);
      print(options, { checks, settings }, () =>
        [
          table(
            ['what', 'state', 'detail', 'remedy'],
            checks.map(({ name, state, detail, remedy }) => [name, state, detail, remedy]),
          ),
          table(
            ['setting', 'value', 'from'],
            settings.map(({ name, value, source }) => [name, value, source ?? 'default']),
          ),
        ].join('\n\n'),
      );
      const failed = checks.filter(({ state }) => state === 'failed');
      if (failed.length > 0) throw new Refused(sentence(failed), null);
    });
}

const sentence = (failed: readonly Check[]): string =>
  `Not working: ${failed.map(({ name }) => name).join(', ')}.`;
