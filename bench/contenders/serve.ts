/**
 * Child process of a TypeScript contender: `bun serve.ts NAME SETUP-AS-JSON`.
 *
 * @module
 */
import type { Fetch, Setup } from './types.ts';

const [name, json] = process.argv.slice(2);
const { app } = (await import(`./${name}.ts`)) as { app(setup: Setup): Fetch | Promise<Fetch> };
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: await app(JSON.parse(json!) as Setup),
});
console.log(JSON.stringify({ port: server.port }));
