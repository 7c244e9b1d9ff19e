/** @module The subcommands of `millrace`: each is a file here. `serve` runs `services/main.ts`; its file is the help. */

import { Command } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { addCodegen } from './codegen.ts';
import { addConform } from './conform.ts';
import { addServe } from './serve.ts';

export const program = new Command('millrace')
  .description('Model inference near the speed of a bare HTTP server')
  .version(manifest.version)
  .showHelpAfterError()
  .configureHelp({ showGlobalOptions: true });

addServe(program);
addConform(program);
addCodegen(program);
