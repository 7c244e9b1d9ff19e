/** @module Starts private servers for tests: their programs, free ports and ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { until } from './until.ts';

/** Folders that are laid out like the top folder of a system: this one, and the one that the set-up makes. */
const tops = ['/', fileURLToPath(new URL('../../.millrace/servers', import.meta.url))];

export interface Program {
  readonly path: string;
  /** What it needs in the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** The program of this name, which the machine has or the set-up has unpacked. */
export function findProgram(name: string): Program | undefined {
  for (const top of tops) {
    const file = folders(top)
      .map((folder) => path.join(folder, name))
      .find(existsSync);
    const libraries = path.join(top, `usr/lib/${architecture}-linux-gnu`);
    if (file !== undefined) {
      return { path: file, env: top === '/' ? {} : { LD_LIBRARY_PATH: libraries } };
    }
  }
  return undefined;
}

const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** Debian keeps the programs of each version of PostgreSQL in a folder of its own. */
function folders(top: string): string[] {
  const postgres = path.join(top, 'usr/lib/postgresql');
  const versions = existsSync(postgres) ? readdirSync(postgres).toSorted().reverse() : [];
  const own = versions.map((version) => path.join(postgres, version, 'bin'));
  return [...own, ...['usr/bin', 'usr/local/bin'].map((folder) => path.join(top, folder))];
}

/** Chromium, which the machine has or the set-up has unpacked. */
export function findBrowser(): Program | undefined {
  const unpacked = fileURLToPath(new URL('../../.millrace/browser', import.meta.url));
  for (const top of ['/', unpacked]) {
    const file = path.join(top, 'usr/lib/chromium/chromium');
    if (!existsSync(file)) continue;
    if (top === '/') return { path: file, env: {} };
    const libraries = path.join(top, `usr/lib/${architecture}-linux-gnu`);
    // PulseAudio has a library in a folder of its own, which Debian names to the linker by its path on a whole system.
    return { path: file, env: { LD_LIBRARY_PATH: `${libraries}:${libraries}/pulseaudio` } };
  }
  return undefined;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A temporary folder that a server may write to. */
export const serverFolder = (): string => mkdtempSync(path.join(tmpdir(), 'millrace-server-'));

/** Makes the kernel end a server when its test ends, even without warning. The program is one of Debian's essential ones. */
const ENDING = ['--pdeathsig', 'KILL'];

/** A server in a process of its own, which ends with the process of the test at the latest. */
export class ServerProcess {
  readonly #child: ChildProcess;
  readonly ended: Promise<void>;
  #output = '';
  #over = false;

  constructor(program: Program, args: readonly string[], user?: { uid: number; gid: number }) {
    this.#child = spawn('setpriv', [...ENDING, program.path, ...args], {
      env: { PATH: process.env.PATH, LC_ALL: 'C', ...program.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-4000);
      });
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('close', () => {
        this.#over = true;
        resolve();
      });
    });
  }

  /** Resolves when the server answers. @throws {Error} if it ends before */
  async answers(ask: () => Promise<boolean>): Promise<void> {
    await until(async () => this.#over || (await ask().catch(() => false)), 'a server answers');
    if (this.#over) throw new Error(`The server ended: ${this.#output}`);
  }

  /** Sends a signal to the process and its children. */
  kill(signal: 'SIGINT' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#over) return;
    const pid = this.#child.pid!;
    for (const each of [pid, ...childrenOf(pid)]) {
      try {
        process.kill(each, signal);
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  async end(signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
    this.kill(signal);
    await this.ended;
  }
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  return existsSync(file) ? (readFileSync(file, 'utf8').match(/\d+/g) ?? []).map(Number) : [];
}

export const removeFolder = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true });
