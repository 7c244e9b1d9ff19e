/** @module The subcommands of `millrace`: each is a file here. `serve` runs `services/main.ts`; its file is the help. */

import { Command } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { addBench } from './bench.ts';
import { addCodegen } from './codegen.ts';
import { addCompletion } from './completion.ts';
import { addConform } from './conform.ts';
import { addDoctor } from './doctor.ts';
import { addExperiments } from './experiments.ts';
import { addJobs } from './jobs.ts';
import { addModels } from './models.ts';
import { addRoutes } from './routes.ts';
import { addServe } from './serve.ts';

export const program = new Command('millrace')
  .description('Model inference near the speed of a bare HTTP server')
  .version(manifest.version)
  .showHelpAfterError()
  .exitOverride()
  // Otherwise the program's own --version would hide that of its subcommands.
  .enablePositionalOptions()
  .configureHelp({ showGlobalOptions: true });

addServe(program);
addModels(program);
addRoutes(program);
addExperiments(program);
addJobs(program);
addDoctor(program);
addBench(program);
addConform(program);
addCodegen(program);
addCompletion(program);
