/** @module A private Redis for tests. */

import { connect } from 'node:net';
import { findProgram, freePort, removeFolder, ServerProcess, serverFolder } from './servers.ts';

/** Why tests with Redis are skipped; false where it is installed. The value for the option `skip` of a test. */
export const noRedis: string | false =
  findProgram('redis-server') === undefined && 'needs redis-server, which the set-up unpacks';

export interface TestRedis extends AsyncDisposable {
  /** `redis://127.0.0.1:…` */
  readonly url: string;
  readonly port: number;
  /** Ends the server without warning. What was not written to its append-only file is lost. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and with the same files. */
  start(): Promise<void>;
}

/**
 * Starts a Redis on a free port. The caller declares it with `await using`.
 *
 * @param options Lines of its configuration, such as `{'maxmemory-policy': 'noeviction', appendonly: 'yes'}`.
 */
export async function startRedis(
  options: Readonly<Record<string, string>> = {},
): Promise<TestRedis> {
  const program = findProgram('redis-server');
  if (program === undefined) throw new Error('There is no redis-server.');
  const folder = serverFolder();
  const port = await freePort();
  const settings = { port: String(port), bind: '127.0.0.1', dir: folder, save: '', ...options };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  let server: ServerProcess | undefined;
  const start = async () => {
    server = new ServerProcess(program, args);
    await server.answers(() => pongs(port));
  };
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    start,
    kill: async () => server?.end('SIGKILL'),
    async [Symbol.asyncDispose]() {
      await server?.end('SIGKILL');
      removeFolder(folder);
    },
  };
}

/** Whether it answers a ping, which it does not while it reads its append-only file. */
function pongs(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', (data) => settle(String(data).startsWith('+PONG')));
    socket.once('error', () => settle(false));
  });
}
