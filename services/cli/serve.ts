/** @module The help of `millrace serve`. `runtime/config` reads its settings. */

import { type Command, Option } from 'commander';
import { settingsHelp } from '../../runtime/index.ts';
import { services } from '../services.ts';

const EXAMPLES = `
Examples:
  millrace serve --models models               every service, on the models in a folder
  millrace serve inference --port 8000         the Open Inference Protocol alone
  millrace serve --host 0.0.0.0 --max-workers 2

Every option is also a setting of the environment (PORT for --port), of a file that holds it (PORT_FILE), and
of millrace.json ("port"). A flag goes before the environment, that before millrace.json.`;

export function addServe(program: Command): void {
  const names = services.map(({ name }) => name).join(', ');
  const command = program
    .command('serve')
    .description('Serve the models of a repository over HTTP and gRPC')
    .argument('[service]', `which service: all, ${names}`, 'all')
    .addHelpText('after', EXAMPLES);
  // It is the argument.
  for (const { flag, group, description, usual } of settingsHelp(services).slice(1)) {
    const text = usual === undefined ? description : `${description} (default: ${usual})`;
    const flags = flag === '--model-path' ? '--models, --model-path <folder>' : `${flag} <value>`;
    command.addOption(new Option(flags, text).helpGroup(`${group}:`));
  }
}
