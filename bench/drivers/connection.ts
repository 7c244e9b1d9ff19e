/**
 * One kept-alive HTTP/1.1 connection with one request at a time. It does only what a load driver needs, so that it costs
 * little beside the server.
 *
 * @module
 */

export interface HttpResponse {
  readonly status: number;
  /** Status line and headers. */
  readonly head: string;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const EMPTY: Buffer = Buffer.alloc(0);

/** Splits received bytes into responses. */
export class ResponseReader {
  #bytes = EMPTY;

  /**
   * The response that these bytes complete, or undefined.
   *
   * @throws when they are not an HTTP response with a `Content-Length`.
   */
  add(bytes: Buffer): HttpResponse | undefined {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    const headEnd = this.#bytes.indexOf(HEAD_END);
    if (headEnd < 0) return undefined;
    const head = this.#bytes.toString('latin1', 0, headEnd);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (status === undefined || length === undefined) {
      throw new Error(`Not an HTTP response with a length: ${head.slice(0, 200)}`);
    }
    const end = headEnd + HEAD_END.length + Number(length);
    if (this.#bytes.length < end) return undefined;
    this.#bytes = this.#bytes.length === end ? EMPTY : this.#bytes.subarray(end);
    return { status: Number(status), head };
  }
}

/** The bytes of a request. */
export function postRequest(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const { host, pathname } = new URL(url);
  const all = {
    Host: host,
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`POST ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
}

interface Waiting {
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: unknown) => void;
}

export class Connection {
  readonly #reader = new ResponseReader();
  #socket: Bun.Socket<undefined> | undefined;
  #waiting: Waiting | undefined;
  #unsent = EMPTY;

  /** @throws when the server cannot be reached. */
  static async open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    const connection = new Connection();
    connection.#socket = await Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        data: (_, bytes) => connection.#receive(bytes),
        drain: () => connection.#write(),
        close: () => connection.#fail(new Error('The server closed the connection')),
        error: (_, error) => connection.#fail(error),
      },
    });
    return connection;
  }

  private constructor() {}

  /** Sends one request. The previous one must have its response. */
  send(request: Buffer): Promise<HttpResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
    this.#waiting = { resolve, reject };
    this.#unsent = request;
    this.#write();
    return promise;
  }

  close(): void {
    this.#socket?.end();
  }

  #write(): void {
    if (this.#unsent.length === 0 || this.#socket === undefined) return;
    this.#unsent = this.#unsent.subarray(this.#socket.write(this.#unsent));
  }

  #receive(bytes: Buffer): void {
    try {
      const response = this.#reader.add(bytes);
      if (response === undefined) return;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(response);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
