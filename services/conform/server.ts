/** @module The server under test: how to ask it, and the model that the cases work on. */

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

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answers; undefined where it is no JSON
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
  /** Longest time of a request, milliseconds. */
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

export class Server {
  readonly model: ModelMetadata;
  readonly #options: ServerOptions;

  private constructor(options: ServerOptions, model: ModelMetadata) {
    this.#options = options;
    this.model = model;
  }

  /**
   * Looks at the server.
   *
   * @param name The model to work on: its inputs have to take any numbers, or any text.
   * @throws {Error} when there is no server, or no such model.
   */
  static async open(options: ServerOptions, name: string): Promise<Server> {
    const unknown: ModelMetadata = { name, inputs: [], outputs: [] };
    const answer = await new Server(options, unknown).get(`/v2/models/${name}`);
    if (answer.status !== 200 || !Array.isArray(answer.json?.inputs)) {
      throw new Error(
        `The server does not describe the model ${name}: GET /v2/models/${name} answered ${answer.status}`,
      );
    }
    return new Server(options, answer.json as ModelMetadata);
  }

  /** Path of the model, or of what is under it. */
  path(rest = ''): string {
    return `/v2/models/${this.model.name}${rest}`;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.ask(path, { headers });
  }

  /** POSTs an object as JSON, a text or bytes as they are. */
  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    return this.ask(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: raw ? (body as string) : JSON.stringify(body),
    });
  }

  async ask(path: string, init: RequestInit): Promise<Answer> {
    const { url, timeoutMs, headers } = this.#options;
    const response = await fetch(url.replace(/\/$/, '') + path, {
      ...init,
      headers: { 'Accept-Encoding': 'identity', ...headers, ...(init.headers as object) },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    return { status: response.status, headers: response.headers, bytes, text, json: parsed(text) };
  }

  /** A right value for every input, one row of it where dimension 0 is open. */
  inputs(): JsonInput[] {
    return this.model.inputs.map(({ name, datatype, shape }) => {
      const sizes = shape.map((size) => (size < 0 ? 1 : size));
      const count = sizes.reduce((product, size) => product * size, 1);
      return {
        name,
        datatype,
        shape: sizes,
        data: Array.from({ length: count }, () => one(datatype)),
      };
    });
  }

  infer(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.post(this.path('/infer'), body, headers);
  }
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
