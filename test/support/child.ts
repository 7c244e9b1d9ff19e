/** @module A service in a process of its own, on the runtime that runs the tests. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
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
  /** Lines of the log, parsed. */
  readonly log: Record<string, unknown>[] = [];
  errors = '';
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #over = false;

  /**
   * @param script Path of the module to run, from the top folder.
   * @param cwd Where it runs, which is where `millrace.json` is looked for.
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
      env: { PATH: process.env.PATH, HOST: '127.0.0.1', DENO_NO_UPDATE_CHECK: '1', ...env },
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

  /** Waits for a line of the log by its message. */
  async line(message: string): Promise<Record<string, unknown>> {
    const find = () => this.log.find(({ msg }) => msg === message);
    await until(() => find() !== undefined || this.#over, `"${message}" is logged`);
    const line = find();
    if (line === undefined) throw new Error(`The service ended: ${this.errors}`);
    return line;
  }

  /** The port it listens on, once it does. */
  async port(): Promise<number> {
    return Number((await this.line('ready')).port);
  }

  /** Most memory that it has had at once so far, bytes. */
  peakMemory(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  signal(name: 'SIGTERM' | 'SIGINT'): void {
    // Not the child's own method: after it Deno reports any exit as a death by that signal.
    process.kill(this.#child.pid!, name);
  }

  write(text: string): void {
    this.#child.stdin!.write(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) this.#child.kill('SIGKILL');
    await this.exited;
  }
}
