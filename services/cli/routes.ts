/** @module `millrace routes`: which version serves a request: weights, sticky keys, canaries and shadows. */

import { type Command, InvalidArgumentError } from 'commander';
import { print, sayJson, warn } from './output.ts';
import { path, Server, type ServerOptions, withServer } from './server.ts';
import { toObject } from './values.ts';

interface Named extends ServerOptions {
  readonly name: string;
}

/** A route as the server describes it: its own members, and what the server adds. */
interface Route {
  readonly weights: Readonly<Record<string, number>>;
  readonly sticky?: object;
  readonly shadow?: object;
  readonly canary?: Readonly<Record<string, unknown>>;
  readonly revision?: string | number;
  readonly source?: string;
}

const NAME: readonly [string, string] = ['--name <name>', 'the model'];
const at = (name: string) => path('admin', 'models', name, 'route');

export function addRoutes(program: Command): void {
  const routes = program
    .command('routes')
    .description('Split traffic between versions, with canaries and shadows');
  withServer(routes.command('get').description('Show the route of a model'))
    .requiredOption(...NAME)
    .action(async ({ name, ...options }: Named) => {
      sayJson(await new Server(options).get<Route>(at(name)));
    });
  withServer(routes.command('set').description('Set the weights of versions'))
    .requiredOption(...NAME)
    .requiredOption('--weights <json>', 'such as {"v1.0":0.8,"v2.0":0.2}', toObject)
    .option('--sticky <json>', 'such as {"header":"X-User-Id"}', toObject)
    .action(async ({ name, weights, sticky, ...options }: SetOptions) => {
      // A new split ends a canary; a shadow, which no client notices, stays.
      await change(options, name, ({ canary: _, ...route }) => ({
        ...route,
        weights,
        ...(sticky && { sticky }),
      }));
    });
  addCanary(routes);
  addShadow(routes);
}

interface SetOptions extends Named {
  readonly weights: Route['weights'];
  readonly sticky?: object;
}

interface CanaryOptions extends Named {
  readonly version?: string;
  readonly steps?: readonly number[];
  readonly bakeSeconds?: number;
  readonly minRequests?: number;
  readonly guards?: object;
}

const ACTIONS = ['pause', 'resume', 'promote', 'abort'] as const;

function addCanary(routes: Command): void {
  withServer(routes.command('canary').description('Start a canary, or steer the running one'))
    .argument('[action]', `${ACTIONS.join(', ')}; without it a canary starts`, toAction)
    .requiredOption(...NAME)
    .option('--version <version>', 'the version that gets more requests step by step')
    .option(
      '--steps <shares>',
      'rising shares of the requests',
      toNumbers,
      [0.01, 0.05, 0.25, 0.5, 1],
    )
    .option('--bake-seconds <n>', 'least time of a step', toNumber, 300)
    .option('--min-requests <n>', 'least requests of a step', toNumber, 500)
    .option('--guards <json>', 'limits whose breach rolls back', toObject, { error_rate: 0.01 })
    .action(async (action: string | undefined, options: CanaryOptions, command: Command) => {
      const { name, version, steps, bakeSeconds, minRequests, guards, ...server } = options;
      if (action !== undefined) {
        const { body } = await new Server(server).send<Route>(
          'POST',
          `${at(name)}/canary/${action}`,
        );
        return sayJson(body);
      }
      if (version === undefined) command.error('error: write --version, or an action');
      const canary = {
        version,
        steps,
        bake_seconds: bakeSeconds,
        min_requests: minRequests,
        guards,
      };
      await change(server, name, (route) => ({ ...route, canary }));
    });
}

interface ShadowOptions extends Named {
  readonly version?: string;
  readonly fraction?: number;
  readonly tolerance?: number;
  readonly off?: boolean;
}

function addShadow(routes: Command): void {
  withServer(
    routes.command('shadow').description('Copy requests to a version that nobody waits for'),
  )
    .requiredOption(...NAME)
    .option('--version <version>', 'the version that gets the copies')
    .option('--fraction <share>', 'share of the requests that are copied', toNumber, 0.1)
    .option('--tolerance <n>', 'largest difference of outputs that still agree', toNumber)
    .option('--off', 'end the shadow')
    .action(async (options: ShadowOptions, command: Command) => {
      const { name, version, fraction, tolerance, off, ...server } = options;
      if (off) return change(server, name, ({ shadow: _, ...route }) => route);
      if (version === undefined) command.error('error: write --version, or --off');
      const shadow = { version, fraction, ...(tolerance === undefined ? {} : { tolerance }) };
      await change(server, name, (route) => ({ ...route, shadow }));
    });
}

/** Reads a route, changes it and writes it back, unless somebody else has changed it meanwhile. */
async function change(
  options: ServerOptions,
  name: string,
  edit: (route: Omit<Route, 'revision' | 'source'>) => object,
): Promise<void> {
  const server = new Server(options);
  const { body, headers } = await server.call<Route>('GET', at(name));
  const { revision: _, source: __, canary, ...route } = body;
  const { state, step: ___, reason: ____, ...plan } = canary ?? {};
  // One that has ended would start again.
  const goesOn = state === 'running' || state === 'paused';
  const present = { ...route, ...(goesOn && { canary: plan }) };
  const etag = headers.get('etag');
  const written = await server.send<Route>('PUT', at(name), edit(present), {
    headers: etag === null ? {} : { 'If-Match': etag },
  });
  print(options, written.body, (value) => JSON.stringify(value, null, 2));
  if (written.body.source !== 'file') return;
  warn(
    `The new route is stored, but ROUTING_FILE of the server names '${name}' and takes precedence.`,
  );
}

function toAction(given: string): string {
  if ((ACTIONS as readonly string[]).includes(given)) return given;
  throw new InvalidArgumentError(`Write one of ${ACTIONS.join(', ')}.`);
}

function toNumber(given: string): number {
  const number = Number(given);
  if (given.trim() !== '' && Number.isFinite(number)) return number;
  throw new InvalidArgumentError('Write a number.');
}

const toNumbers = (given: string): readonly number[] => given.split(',').map(toNumber);
