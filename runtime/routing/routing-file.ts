/**
 * `ROUTING_FILE`: routes in a JSON file that is followed while the process runs. It is read anew each second, instead of
 * watched: Kubernetes replaces a mounted ConfigMap by swapping a symbolic link above the file, which events of the file
 * itself do not show, and network file systems have no events.
 *
 * The file has one of two forms: the shares of the default model's versions, `{"v1.0": 0.8, "v2.0": 0.2}`, or a route for
 * each model, `{"iris": {"weights": {"v1.0": 1}}}`.
 *
 * @module
 */

import { quote } from '../../native/index.ts';
import { invalidArgument, ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics/index.ts';
import { readText } from '../repository/files.ts';
import { readRoute, type TrafficRoute, versionsOf } from './route.ts';
import type { RouteTable } from './route-table.ts';

const POLL_MS = 1000;
const NAME = 'ROUTING_FILE';

/** The content of the file. */
export type RoutingRules =
  | { readonly forDefault: TrafficRoute }
  | { readonly byModel: Readonly<Record<string, TrafficRoute>> };

export interface RoutingFileParts {
  readonly path: string;
  /** Knows the models that the file may name, and which is the default one. */
  readonly table: Pick<RouteTable, 'get' | 'defaultModel'>;
  readonly log: Log;
  /** Milliseconds between two reads. Default: 1000 */
  readonly pollMs?: number;
}

export class RoutingFile {
  readonly #parts: RoutingFileParts;
  readonly #listeners = new Set<() => void>();
  readonly #timer: ReturnType<typeof setInterval>;
  #text: string | undefined;
  /** The routes of which listeners know, as JSON. */
  #announced = '{}';
  #rules: RoutingRules = { byModel: {} };
  #problem = '';
  #reading = false;

  private constructor(parts: RoutingFileParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.read(), parts.pollMs ?? POLL_MS);
    this.#timer.unref?.();
  }

  /** Reads the file and follows it. A file that cannot be used is not an error, because it may be mended later. */
  static async open(parts: RoutingFileParts): Promise<RoutingFile> {
    const file = new RoutingFile(parts);
    await file.read();
    return file;
  }

  /** The routes by model, of the last file that could be used. */
  routes(): Readonly<Record<string, TrafficRoute>> {
    if ('byModel' in this.#rules) return this.#rules.byModel;
    const { defaultModel } = this.#parts.table;
    return defaultModel === undefined ? {} : { [defaultModel]: this.#rules.forDefault };
  }

  /** Whether the file as it is now is in effect. */
  get isValid(): boolean {
    return this.#problem === '';
  }

  /** Sentences about the file for operators. */
  notes(): readonly string[] {
    const { table } = this.#parts;
    const routes = Object.entries(this.routes());
    const isUnused = 'forDefault' in this.#rules && routes.length === 0;
    return [
      ...(this.isValid ? [] : [this.#problem]),
      ...(isUnused
        ? [`${NAME} is about the default model, and no model is; set DEFAULT_MODEL.`]
        : []),
      ...routes.flatMap(([name, route]) => {
        const model = table.get(name);
        if (model === undefined)
          return [`${NAME} names the model ${quote(name)}, which is not served.`];
        const unknown = versionsOf(route).filter((version) => !model.hasVersion(version));
        // The state of a canary is stored with its route, and a file that somebody else writes cannot have it.
        const canary = `${NAME} has a canary for model '${name}', which does not run; canaries run in routes of /admin/models.`;
        return [
          ...(route.canary === undefined ? [] : [canary]),
          ...unknown.map(
            (version) =>
              `${NAME} names version ${quote(version)} of model '${name}', which is not served.`,
          ),
        ];
      }),
    ];
  }

  /**
   * Calls the listener after each change of the routes: of the file, or of the model that is the default.
   *
   * @returns a function that ends the calls
   */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads the file now. Never rejects. */
  async read(): Promise<void> {
    // A read of a slow file system may take longer than the time between two of them.
    if (this.#reading) return;
    this.#reading = true;
    try {
      const text = await readText(this.#parts.path, NAME);
      if (text !== this.#text || !this.isValid) this.#apply(text);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#reading = false;
    }
    this.#announce();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  /** @throws {ServeError} if the text is not that of a file of routes */
  #apply(text: string): void {
    this.#rules = parseRules(text);
    this.#text = text;
    this.#problem = '';
  }

  #announce(): void {
    const routes = this.routes();
    const json = JSON.stringify(routes);
    if (json === this.#announced) return;
    this.#announced = json;
    this.#parts.log.info({ models: Object.keys(routes) }, 'ROUTING_FILE in effect');
    for (const listener of this.#listeners) listener();
  }

  #fail(error: unknown): void {
    const reason = error instanceof ServeError ? error.message : `${NAME} cannot be read.`;
    const kept = this.#text === undefined ? 'no route of it is' : 'the routes before it stay';
    const problem = `${reason} Until it is mended ${kept} in effect.`;
    if (problem !== this.#problem)
      this.#parts.log.error({ reason: problem }, 'ROUTING_FILE not used');
    this.#problem = problem;
  }
}

/** @throws {ServeError} `INVALID_ARGUMENT` */
export function parseRules(text: string): RoutingRules {
  const json = parseJson(text);
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalidArgument(`${NAME} must be an object of shares by version, or of routes by model.`);
  }
  const entries = Object.entries(json);
  const numbers = entries.filter(([, value]) => typeof value === 'number').length;
  if (numbers > 0 && numbers === entries.length) {
    return { forDefault: readRoute({ weights: json }, NAME) };
  }
  if (numbers > 0) {
    throw invalidArgument(`${NAME} mixes shares of versions with routes of models; write either.`);
  }
  const routes = entries.map(([model, route]) => {
    return [model, readRoute(route, `The route of ${quote(model)} in ${NAME}`)];
  });
  return { byModel: Object.fromEntries(routes) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ServeError('INVALID_ARGUMENT', `${NAME} is not valid JSON.`, { cause });
  }
}

/** Adds the metric of the file, which has no sample if there is none. */
export function addRoutingFileMetric(metrics: Metrics, file: RoutingFile | undefined): void {
  metrics.onScrape(
    {
      name: 'millrace_routing_file_valid',
      type: 'gauge',
      help: 'Whether ROUTING_FILE as it is now is in effect; /ready says why not',
    },
    () => (file === undefined ? [] : [{ labels: {}, value: file.isValid ? 1 : 0 }]),
  );
}
