/** @module An HTTP client that sends raw bytes, for requests that client libraries do not send. */

import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';

/** Maximum time to wait for a response, milliseconds. */
const LIMIT_MS = 20_000;

export interface RawResponse {
  readonly status: number;
  /** The headers, with names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One connection. */
export class RawClient {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  #received = '';
  #open = true;
  #onData: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    // latin1 has one character per byte, because lengths are in bytes.
    this.socket.setEncoding('latin1');
    this.closed = new Promise((resolve) => {
      // A server may reset a connection that it has refused.
      this.socket.on('error', () => resolve());
      this.socket.on('close', () => resolve());
    });
    this.socket.on('data', (chunk) => {
      this.#received += chunk;
      this.#onData();
    });
    void this.closed.then(() => {
      this.#open = false;
      this.#onData();
    });
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** The next response, or undefined when the connection closes without one. */
  async response(): Promise<RawResponse | undefined> {
    const timer = setTimeout(() => this.socket.destroy(new Error('no response')), LIMIT_MS);
    try {
      for (;;) {
        const response = this.#take();
        if (response !== undefined || !this.#open) return response;
        await new Promise<void>((resolve) => {
          this.#onData = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #take(): RawResponse | undefined {
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return undefined;
    const [first, ...lines] = this.#received.slice(0, end).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    );
    const length = Number(headers['content-length'] ?? 0);
    const body = this.#received.slice(end + 4, end + 4 + length);
    if (body.length < length) return undefined;
    this.#received = this.#received.slice(end + 4 + length);
    const text = Buffer.from(body, 'latin1').toString('utf8');
    return { status: Number(first!.split(' ')[1]), headers, body: text };
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** The request line and headers of a POST to `/predict`. */
export function head(headers: Readonly<Record<string, string | number>>): string {
  const lines = { Host: 'test', 'Content-Type': 'application/json', ...headers };
  const text = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /predict HTTP/1.1\r\n${text.join('')}\r\n`;
}

/** A whole POST to `/predict`. */
export function post(body: string): string {
  return head({ 'Content-Length': new TextEncoder().encode(body).length }) + body;
}
