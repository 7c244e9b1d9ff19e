/**
 * Child process of a TypeScript contender: `bun serve.ts NAME SETUP-AS-JSON`.
 *
 * @module
 */
import type { Serve, Setup } from './types.ts';

const [name, json] = process.argv.slice(2);
const { serve } = (await import(`./${name}.ts`)) as { serve: Serve };
const port = await serve(JSON.parse(json!) as Setup);
console.log(JSON.stringify({ port }));
