/** @module Tests the command `npm start`, with its processes and their end. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stateFolder } from '../support/store.ts';
import { until } from '../support/until.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));

/** The commands of the running processes of a process group. */
function groupOf(id: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        // The fields after the name in parentheses are state, parent and group.
        const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (Number(group) !== id || state === 'Z') return [];
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return [];
      }
    });
}

class Npm {
  output = '';
  errors = '';
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  readonly #child: ChildProcess;

  constructor(env: Readonly<Record<string, string>>) {
    const { PATH, HOME = '' } = process.env;
    // Its own process group identifies all processes that it starts.
    this.#child = spawn('npm', ['start'], {
      cwd: top,
      env: { PATH, HOME, HOST: '127.0.0.1', npm_config_update_notifier: 'false', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.exited = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => resolve({ code, signal }));
    });
  }

  get id(): number {
    return this.#child.pid!;
  }

  /** The port in the log line 'ready'. */
  async port(): Promise<number> {
    const find = () => /^\{.*"prediction":(\d+).*"msg":"ready"\}$/m.exec(this.output);
    await until(() => find() !== null, 'npm start is ready');
    return Number(find()![1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      process.kill(-this.id, 'SIGKILL');
    } catch {
      // All processes have ended.
    }
    await this.exited;
  }
}

describe('npm start', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`ends with 0 at ${signal}, without remaining processes and without warnings`, async () => {
      using state = await stateFolder();
      await using npm = new Npm({ PORT: '0', STATE_DIR: state.path });
      const url = `http://127.0.0.1:${await npm.port()}`;
      assert.equal((await fetch(`${url}/ready`)).status, 200);
      assert.ok(groupOf(npm.id).length > 0);
      process.kill(npm.id, signal);
      assert.deepEqual(await npm.exited, { code: 0, signal: null });
      assert.deepEqual(groupOf(npm.id), []);
      assert.match(npm.output, /"msg":"stopped"/);
      assert.match(npm.errors, /^setup: nothing to do \(\d+ ms\)\n$/);
    });
  }

  test('fails with a message if the port is taken, and the first one keeps serving', async () => {
    using state = await stateFolder();
    await using first = new Npm({ PORT: '0', STATE_DIR: state.path });
    const port = await first.port();
    await using second = new Npm({ PORT: `${port}`, SERVICE: 'prediction' });
    assert.equal((await second.exited).code, 1);
    assert.match(second.errors, new RegExp(`^Port ${port} is already in use; stop the`, 'm'));
    assert.deepEqual(groupOf(second.id), []);
    assert.equal((await fetch(`http://127.0.0.1:${port}/ready`)).status, 200);
  });
});
