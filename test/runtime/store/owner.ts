/** @module Processes that own an embedded database. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';

export class Owner implements AsyncDisposable {
  /** What it has printed: the rows that were acknowledged, or why it ended. */
  readonly lines: string[] = [];
  readonly ended: Promise<unknown>;
  readonly #child: ChildProcess;

  constructor(folder: string) {
    const fixture = path.join(import.meta.dirname, 'owner.fixture.ts');
    const deno = process.versions.deno === undefined ? [] : ['run', '-A', '--no-check'];
    this.#child = spawn(process.execPath, [...deno, fixture, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.lines.push(line));
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
