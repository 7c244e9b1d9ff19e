/** @module `millrace codegen`: TypeScript types of the models of a server or of a repository. */

import { writeFile } from 'node:fs/promises';
import process from 'node:process';
import type { Command } from 'commander';
import { generateTypes } from '../tools/client/codegen.ts';
import type { Inference } from '../tools/client/contract.ts';
import { createEngine } from '../tools/client/engine.ts';
import { createClient } from '../tools/client/index.ts';

interface Options {
  readonly url: string;
  readonly models?: string;
  readonly model?: readonly string[];
  readonly out?: string;
}

export function addCodegen(program: Command): void {
  program
    .command('codegen')
    .description('Write TypeScript types of models, so that a wrong input does not compile')
    .option('--url <url>', 'the server of the models', 'http://localhost:8000')
    .option('--models <folder>', 'a model repository to use instead of a server')
    .option('--model <name...>', 'models to describe (default: all that are ready)')
    .option('--out <file>', 'where to write (default: standard output)')
    .action(async ({ url, models, model, out }: Options) => {
      const inference: Inference =
        models === undefined ? createClient(url) : await createEngine({ models });
      try {
        const text = await generateTypes(inference, model);
        if (out === undefined) process.stdout.write(text);
        else await writeFile(out, text);
      } finally {
        await inference.close();
      }
    });
}
