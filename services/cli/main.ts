/** @module The command `millrace`: each subcommand is a file here, except `serve`, which is `services/main.ts`. */

import { Command } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { exit } from '../../runtime/index.ts';
import { addCodegen } from './codegen.ts';
import { addConform } from './conform.ts';
import { addServe } from './serve.ts';

const program = new Command('millrace')
  .description('Model inference at the speed of the HTTP floor')
  .version(manifest.version)
  .showHelpAfterError()
  .configureHelp({ showGlobalOptions: true });

addServe(program);
addConform(program);
addCodegen(program);

await program
  .parseAsync()
  .catch((error: unknown) => exit(1, error instanceof Error ? error.message : String(error)));
