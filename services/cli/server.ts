/** @module The server that the commands speak to, and the errors that decide the exit code. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { serverAddress } from '../../runtime/index.ts';

/** The server understood a request and refused it, or a local check failed. The exit code is 1. */
export class Refused extends Error {
  override readonly name = 'Refused';
  /** The body of the response, which `--json` prints; null if the command has printed its report already. */
  readonly body: unknown;

  constructor(message: string, body: unknown = { error: message }) {
    super(message);
    this.body = body;
  }
}

/** No server responded. The exit code is 3. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** The options of every command that needs a server. */
export interface ServerOptions {
  readonly url: string;
  readonly token?: string;
  readonly json?: boolean;
}

export interface Call {
  readonly body?: RequestInit['body'];
  readonly headers?: Readonly<Record<string, string>>;
  /** Names with several values are repeated. */
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** A response whose status says that the request was carried out. */
export interface Answer<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

/** Adds `--url`, `--token` and `--json`. */
export function withServer(command: Command): Command {
  const { url, token } = serverAddress();
  const secret = new Option(
    '--token <token>',
    'bearer token or API key, for a proxy that authenticates (MILLRACE_TOKEN)',
  );
  if (token !== undefined) secret.default(token, 'from the environment');
  return command
    .option('--url <url>', 'the server (MILLRACE_URL)', toUrl, url)
    .addOption(secret)
    .option('--json', 'print JSON');
}

/** Parses the address of a server, for commander. */
export function toUrl(given: string): string {
  if (URL.canParse(given) && /^https?:/.test(given)) return given;
  throw new InvalidArgumentError('Write it as http://host:port.');
}

/** The parts of a path, escaped. */
export const path = (...parts: readonly string[]): string =>
  `/${parts.map(encodeURIComponent).join('/')}`;

export class Server {
  readonly #options: ServerOptions;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  /** @throws {Refused | Unreachable} */
  async get<Body>(path: string, query: Call['query'] = {}): Promise<Body> {
    return (await this.call<Body>('GET', path, { query })).body;
  }

  /** Every item of a list, page by page. @throws {Refused | Unreachable} */
  async list<Item>(path: string, query: Call['query'] = {}): Promise<Item[]> {
    const items: Item[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.get<{ items: Item[]; next: string | null }>(path, {
        limit: '500',
        ...query,
        cursor,
      });
      items.push(...page.items);
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    return items;
  }

  /** Sends an object as JSON. @throws {Refused | Unreachable} */
  async send<Body>(
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    value?: object,
    call: Call = {},
  ): Promise<Answer<Body>> {
    const headers = { 'Content-Type': 'application/json', ...call.headers };
    return this.call(method, path, { ...call, body: JSON.stringify(value ?? {}), headers });
  }

  /** @throws {Refused | Unreachable} */
  async call<Body>(method: string, path: string, call: Call = {}): Promise<Answer<Body>> {
    const response = await this.stream(method, path, call);
    const text = await response.text();
    const body = (text === '' ? {} : asJson(text)) as Body;
    return { status: response.status, body, headers: response.headers };
  }

  /** A response whose body is not read yet. @throws {Refused | Unreachable} */
  async stream(method: string, path: string, call: Call = {}): Promise<Response> {
    const { url, token } = this.#options;
    const target = new URL(path, url);
    for (const [name, value] of Object.entries(call.query ?? {})) {
      for (const each of [value ?? []].flat()) target.searchParams.append(name, each);
    }
    const response = await fetch(target, {
      method,
      headers: { ...credentials(token), ...call.headers },
      ...(call.body === undefined ? {} : { body: call.body }),
      // A registration may take as long as it needs, and Bun would end it after five minutes.
      ...{ timeout: false, duplex: 'half' },
    }).catch((error: unknown) => {
      // The file that is sent cannot be read, which is no fault of the server.
      if (error instanceof Refused) throw error;
      throw unreachable(url, error);
    });
    if (response.ok) return response;
    const body = asJson(await response.text());
    throw new Refused(errorOf(body) ?? `The server refused with status ${response.status}.`, body);
  }
}

function unreachable(url: string, error: unknown): Unreachable {
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  const reason = code ?? message ?? String(error);
  return new Unreachable(
    `No server responds at ${url}: ${reason}; start one with npm start, or name another with --url`,
  );
}

/** The headers of a request with a bearer token or an API key. */
export function credentials(token: string | undefined): Record<string, string> {
  if (token === undefined) return {};
  return token.startsWith('mk_') ? { 'X-API-Key': token } : { Authorization: `Bearer ${token}` };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { error: text };
  }
}

function errorOf(body: unknown): string | undefined {
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : '';
  return typeof error === 'string' && error !== '' ? error : undefined;
}
