/** @module The command `millrace`, except for `serve`, which is `services/main.ts`. */

import { exit } from '../../runtime/index.ts';
import { program } from './program.ts';

await program
  .parseAsync()
  .catch((error: unknown) => exit(1, error instanceof Error ? error.message : String(error)));
