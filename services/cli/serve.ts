/** @module `millrace serve`: only its help is here, the settings are read by `runtime/config`. */

import type { Command } from 'commander';
import { settingsHelp } from '../../runtime/index.ts';
import { services } from '../services.ts';

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .description('Run the services: all, prediction or inference')
    .argument('[service]', 'which one', 'all');
  for (const { flag, description, usual } of settingsHelp(services)) {
    const text = usual === undefined ? description : `${description} (default: ${usual})`;
    command.option(`${flag} <value>`, text);
  }
  command.addHelpText(
    'after',
    '\nEvery option is also a setting of the environment, such as PORT for --port, and of millrace.json.',
  );
}
