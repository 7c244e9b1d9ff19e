/** @module The help text of `millrace serve`. `runtime/config` reads its settings. */

import { type Command, Option } from 'commander';
import { settingsHelp } from '../../runtime/index.ts';
import { services } from '../services.ts';

const EXAMPLES = `
Examples:
  millrace serve --models models               every service, with the models of a folder
  millrace serve inference --port 8000         only the Open Inference Protocol
  millrace serve ./model.onnx                  one model: a file, or a folder from Hugging Face
  millrace serve --host 0.0.0.0 --max-workers 2

Every option can also be set in the environment (PORT for --port, or PORT_FILE for a file with the value) and in
millrace.json ("port"). A flag takes precedence over the environment, and that over millrace.json.`;

export function addServe(program: Command): void {
  const names = services.map(({ name }) => name).join(', ');
  const command = program
    .command('serve')
    .description('Serve the models of a repository over HTTP and gRPC')
    .argument('[service]', `which service: all, ${names}; or the path of one model`, 'all')
    .addHelpText('after', EXAMPLES);
  // The first setting is SERVICE, which is the argument.
  for (const { flag, group, description, defaultValue } of settingsHelp(services).slice(1)) {
    const text =
      defaultValue === undefined ? description : `${description} (default: ${defaultValue})`;
    const flags = flag === '--model-path' ? '--models, --model-path <folder>' : `${flag} <value>`;
    command.addOption(new Option(flags, text).helpGroup(`${group}:`));
  }
}
