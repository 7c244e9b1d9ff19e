/**
 * Child processes that report their start on stdout, and are always ended.
 *
 * @module
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs a program to its end. An exit code other than 0 is not an error here: the caller decides. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Maximum characters from the end of stderr that are kept for an error message. */
const STDERR_TAIL = 2000;
/** Maximum lines of stdout that wait to be read; older ones are dropped. */
const UNREAD_LINES = 1000;
const STOP_MS = 5000;

export class Child implements AsyncDisposable {
  readonly pid: number;
  readonly #process: ChildProcessByStdio<null, Readable, Readable>;
  readonly #exit: Promise<Exit>;
  readonly #name: string;
  #unread: string[] = [];
  #wake = () => {};
  #stderr = '';

  /** @throws when the program cannot be started. */
  static async start(command: Command): Promise<Child> {
    const [program, ...args] = command.argv;
    const child = spawn(program!, args, {
      cwd: command.cwd,
      env: { ...process.env, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await once(child, 'spawn');
    return new Child(child, command.argv.slice(0, 2).join(' '));
  }

  private constructor(child: ChildProcessByStdio<null, Readable, Readable>, name: string) {
    this.#process = child;
    this.pid = child.pid!;
    this.#name = name;
    this.#exit = once(child, 'close').then(([code, signal]) => ({ code, signal }));
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#unread.push(line);
      if (this.#unread.length > UNREAD_LINES) this.#unread.shift();
      this.#wake();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL);
    });
  }

  /**
   * Reads stdout up to the first line for which `parse` does not return undefined. One reader at a time.
   *
   * @throws if the process ends first; the message has the end of its stderr.
   */
  async line<T>(parse: (line: string) => T | undefined): Promise<T> {
    for (;;) {
      for (let line = this.#unread.shift(); line !== undefined; line = this.#unread.shift()) {
        const value = parse(line);
        if (value !== undefined) return value;
      }
      const more = new Promise<undefined>((resolve) => {
        this.#wake = () => resolve(undefined);
      });
      const exit = await Promise.race([more, this.#exit]);
      if (exit && this.#unread.length === 0) throw new Error(this.#failure(exit));
    }
  }

  /** Waits for the end of the process. @throws if it fails. */
  async finished(): Promise<void> {
    const exit = await this.#exit;
    if (exit.code !== 0) throw new Error(this.#failure(exit));
  }

  /** Sends SIGTERM, and SIGKILL if the process does not end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGTERM');
    }
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS);
    await this.#exit;
    clearTimeout(kill);
  }

  #failure(exit: Exit): string {
    const how = exit.signal ? `was ended by ${exit.signal}` : `exited with ${exit.code}`;
    return `${this.#name} ${how}:\n${this.#stderr.trim() || '(nothing on stderr)'}`;
  }
}

/** Parses a line as JSON with this key; returns undefined for every other line, such as a log line. */
export function jsonLine<T>(key: string): (line: string) => T | undefined {
  return (line) => {
    if (!line.startsWith('{')) return undefined;
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === 'object' && value !== null && key in value ? (value as T) : undefined;
    } catch {
      return undefined;
    }
  };
}
