/** @module The server under test: sends requests to it, and holds the model that the cases use. */

/** Number of elements of a tensor of this shape. */
export const elementCount = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);

/** An input or output as the server describes it. */
export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface ModelMetadata {
  readonly name: string;
  readonly versions?: readonly string[];
  readonly platform?: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}

/** A whole response. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the server may return anything; undefined if it is not JSON
  readonly json: any;
}

/** An input of a request, in JSON. */
export interface JsonInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data?: readonly unknown[];
  readonly parameters?: object;
}

export interface ServerOptions {
  readonly url: string;
  /** Timeout of a case, milliseconds. */
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** There was no response, or one that does not end, so the case has no result. */
export class NoResponse extends Error {
  override readonly name = 'NoResponse';
}

/** Maximum bytes of a response; no valid response to a case comes near it. */
const MAX_BYTES = 64 * 1024 * 1024;

export class Server {
  readonly model: ModelMetadata;
  readonly #options: ServerOptions;
  /** Aborts requests in flight. */
  readonly #deadline: AbortSignal;

  private constructor(options: ServerOptions, model: ModelMetadata) {
    this.#options = options;
    this.#deadline = AbortSignal.timeout(options.timeoutMs);
    this.model = model;
  }

  /**
   * Reads the metadata of the server and of the model.
   *
   * @param name The model that the cases use: its inputs must accept any numbers, or any strings.
   * @throws {Error} if there is no server or no such model.
   */
  static async open(options: ServerOptions, name: string): Promise<Server> {
    const unknown: ModelMetadata = { name, inputs: [], outputs: [] };
    const response = await new Server(options, unknown).get(`/v2/models/${name}`);
    if (response.status !== 200 || !Array.isArray(response.json?.inputs)) {
      throw new Error(
        `The server does not describe the model ${name}: GET /v2/models/${name} returned status ${response.status}`,
      );
    }
    return new Server(options, response.json as ModelMetadata);
  }

  /** The same server for one case, whose timeout starts now. */
  restartTimeout(): Server {
    return new Server(this.#options, this.model);
  }

  /** Path of the model, or of a route below it. */
  path(rest = ''): string {
    return `/v2/models/${this.model.name}${rest}`;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<HttpResponse> {
    return this.send(path, { headers });
  }

  /** POSTs an object as JSON, and strings or bytes unchanged. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    return this.send(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: raw ? (body as string) : JSON.stringify(body),
    });
  }

  /** @throws {NoResponse} */
  async send(path: string, init: RequestInit): Promise<HttpResponse> {
    try {
      return await this.#sendOnce(path, init);
    } catch (error) {
      if (this.#deadline.aborted || error instanceof NoResponse) throw this.#noResponse(error);
      // The server may have closed a kept-alive connection in the meantime, which the protocol allows.
      return this.#sendOnce(path, { ...init, keepalive: false }).catch((again: unknown) => {
        throw this.#noResponse(again);
      });
    }
  }

  async #sendOnce(path: string, init: RequestInit): Promise<HttpResponse> {
    const { url, headers } = this.#options;
    const response = await fetch(url.replace(/\/$/, '') + path, {
      ...init,
      headers: { 'Accept-Encoding': 'identity', ...headers, ...(init.headers as object) },
      signal: this.#deadline,
    });
    const bytes = await readAll(response);
    const text = new TextDecoder().decode(bytes);
    return { status: response.status, headers: response.headers, bytes, text, json: parsed(text) };
  }

  #noResponse(error: unknown): NoResponse {
    if (error instanceof NoResponse) return error;
    if (this.#deadline.aborted) {
      return new NoResponse(`there was no response within ${this.#options.timeoutMs} ms`, {
        cause: error,
      });
    }
    const { code, message } = error as { code?: string; message: string };
    return new NoResponse(`the connection failed: ${code ?? message}`, { cause: error });
  }

  /** A valid tensor for every input of the model; dynamic dimensions have size 1. */
  inputs(): JsonInput[] {
    return this.model.inputs.map(({ name, datatype, shape }) => {
      const sizes = shape.map((size) => (size < 0 ? 1 : size));
      const count = elementCount(sizes);
      return {
        name,
        datatype,
        shape: sizes,
        data: Array.from({ length: count }, () => one(datatype)),
      };
    });
  }

  infer(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<HttpResponse> {
    return this.post(this.path('/infer'), body, headers);
  }
}

/** @throws {NoResponse} if the body does not end. */
async function readAll(response: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    length += part.length;
    if (length > MAX_BYTES) throw new NoResponse(`the body is longer than ${MAX_BYTES} bytes`);
  }
  return Buffer.concat(parts);
}

function one(datatype: string): unknown {
  if (datatype === 'BYTES') return '1';
  return datatype === 'BOOL' ? true : 1;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
