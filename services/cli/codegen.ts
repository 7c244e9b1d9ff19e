/** @module `millrace codegen`: TypeScript types of the models of a server or of a repository. */

import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { generateTypes } from '../tools/client/codegen.ts';
import { type Inference, InferenceError } from '../tools/client/contract.ts';
import { createEngine } from '../tools/client/engine.ts';
import { createClient } from '../tools/client/index.ts';
import { print } from './output.ts';
import { Unreachable } from './server.ts';

interface Options {
  readonly url: string;
  readonly models?: string;
  readonly model?: readonly string[];
  readonly out?: string;
  readonly json?: boolean;
}

export function addCodegen(program: Command): void {
  program
    .command('codegen')
    .description('Write TypeScript types of models, so that a wrong input does not compile')
    .option('--url <url>', 'the server of the models', 'http://localhost:8000')
    .option('--models <folder>', 'a model repository to use instead of a server')
    .option('--model <name...>', 'models to describe (default: all that are ready)')
    .option('--out <file>', 'where to write (default: standard output)')
    .option('--json', 'print JSON')
    .action(codegen);
}

async function codegen(options: Options): Promise<void> {
  const { url, models, model, out } = options;
  const inference: Inference =
    models === undefined ? createClient(url) : await createEngine({ models });
  try {
    const types = await generateTypes(inference, model);
    if (out === undefined) print(options, { types }, () => types.trimEnd());
    else await writeFile(out, types);
  } catch (error) {
    const isAway = error instanceof InferenceError && error.code === 'UNREACHABLE';
    throw isAway ? new Unreachable(error.message) : error;
  } finally {
    await inference.close();
  }
}
