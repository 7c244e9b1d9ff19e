/** @module Runs a service in a separate process, on the same runtime as the tests. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export class ServiceChild {
  /** The parsed lines of the log. */
  readonly log: Record<string, unknown>[] = [];
  errors = '';
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  /** Its `STATE_DIR` unless `env` names one, because only one process at a time may use the embedded database in it. */
  readonly #state = mkdtempSync(path.join(tmpdir(), 'millrace-state-'));
  #over = false;

  /**
   * @param script Path of the module to run, relative to the top folder.
   * @param cwd Its working directory, which may have a `millrace.json`.
   */
  constructor(
    script: string,
    env: Readonly<Record<string, string>>,
    args: readonly string[] = [],
    cwd = root,
  ) {
    const deno = process.versions.deno !== undefined;
    const command = [
      ...(deno ? ['run', '-A', '--no-check'] : []),
      path.join(root, script),
      ...args,
    ];
    this.#child = spawn(process.execPath, command, {
      cwd,
      env: {
        PATH: process.env.PATH,
        HOST: '127.0.0.1',
        STATE_DIR: this.#state,
        DENO_NO_UPDATE_CHECK: '1',
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let rest = '';
    this.#child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.log.push(JSON.parse(line) as Record<string, unknown>);
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.errors += chunk;
    });
    this.exited = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => {
        this.#over = true;
        resolve({ code, signal });
      });
    });
  }

  /** Waits for a log line with this message. @throws {Error} if the process ends without it */
  async line(message: string): Promise<Record<string, unknown>> {
    const find = () => this.log.find(({ msg }) => msg === message);
    await until(() => find() !== undefined || this.#over, `"${message}" is logged`);
    const line = find();
    if (line === undefined) throw new Error(`The service ended: ${this.errors}`);
    return line;
  }

  /** Waits until the service is ready, and returns its port. */
  async port(): Promise<number> {
    return Number((await this.line('ready')).port);
  }

  /** The maximum resident memory of the process so far, bytes. */
  peakMemory(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Whether it has a handler of this signal. */
  handles(signal: number): boolean {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const caught = BigInt(`0x${/^SigCgt:\s*(\w+)$/m.exec(status)?.[1]}`);
    return ((caught >> BigInt(signal - 1)) & 1n) === 1n;
  }

  signal(name: 'SIGTERM' | 'SIGINT'): void {
    // The child's own kill() would make Deno report any exit as caused by that signal.
    process.kill(this.#child.pid!, name);
  }

  write(text: string): void {
    this.#child.stdin!.write(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#child.kill('SIGKILL');
    await this.exited;
    rmSync(this.#state, { recursive: true, force: true });
  }
}
