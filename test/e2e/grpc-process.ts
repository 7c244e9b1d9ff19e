/** @module Makes gRPC calls from another process, which runs on Bun. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Message } from '../services/inference/grpc-client.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** How a call ended: with a response, or with a status. */
export interface Outcome {
  readonly response?: Message;
  readonly error?: { readonly code: number; readonly details: string };
}

interface Settle {
  resolve(outcome: Outcome): void;
  reject(reason: Error): void;
}

/**
 * A client for services that stop while it is connected. On Deno 2.9 a client in the test's own process would end that
 * process when the server says goodbye (https://github.com/denoland/deno/issues/36788). To be declared with
 * `await using`.
 */
export class GrpcProcess implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Settle>();
  #calls = 0;

  constructor(host: string, port: number) {
    const script = path.join(root, 'test/e2e/grpc-client.fixture.ts');
    this.#child = spawn(path.join(root, 'node_modules/.bin/bun'), [script, host, String(port)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { id, ...outcome } = JSON.parse(line) as Outcome & { id: number };
      this.#waiting.get(id)?.resolve(outcome);
      this.#waiting.delete(id);
    });
    this.#child.on('close', (code) => {
      for (const { reject } of this.#waiting.values()) {
        reject(new Error(`The gRPC client ended with the exit code ${code}`));
      }
    });
  }

  /** @param method One of the service, or `streamEnd`; see `grpc-client.fixture.ts`. */
  call(method: string, message: object): Promise<Outcome> {
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.stdin.write(`${JSON.stringify({ id, method, message })}\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    await closed;
  }
}
