/** @module The model repository extension: the index of models, and loading and unloading by name. */

import {
  invalidArgument,
  type LoadOverride,
  type RepositoryControl,
  type Runtime,
  ServeError,
} from '../../runtime/index.ts';
import { parseJson } from '../http/codec-json.ts';
import { controlBodies } from '../http/control-body.ts';
import type { AddRoute } from '../http/managed-routes.ts';

/** Maximum bytes of the body of an index or unload request. */
const SMALL_BODY_BYTES = 64 * 1024;

export function repositoryRoutes(add: AddRoute, runtime: Runtime): void {
  const { config, repository } = runtime;
  const handle = controlBodies(runtime);
  add(
    '/v2/repository/index',
    (c) =>
      handle(c.req.raw, SMALL_BODY_BYTES, async (text) => {
        const { ready, repository_name } = parseObject(text);
        refuseName(repository_name);
        if (ready !== undefined && typeof ready !== 'boolean') {
          throw invalidArgument('ready must be true or false.');
        }
        const entries = await repository.index();
        return c.json(ready ? entries.filter(({ state }) => state === 'READY') : entries);
      }),
    'QUERY',
  );
  add(
    '/v2/repository/models/:model/load',
    (c) => {
      requireControl(repository);
      return handle(c.req.raw, config.maxLoadBytes, async (text) => {
        const { parameters, repository_name } = parseObject(text);
        refuseName(repository_name);
        const name = c.req.param('model')!;
        await loadModel(repository, name, toOverride(parameters));
        return c.json({ name, load: true });
      });
    },
    'POST',
  );
  add(
    '/v2/repository/models/:model/unload',
    (c) => {
      requireControl(repository);
      return handle(c.req.raw, SMALL_BODY_BYTES, async (text) => {
        const { parameters, repository_name } = parseObject(text);
        refuseName(repository_name);
        checkUnloadParameters(parameters);
        const name = c.req.param('model')!;
        await repository.unload(name);
        return c.json({ name, unload: true });
      });
    },
    'POST',
  );
}

/** @throws {ServeError} `CONTROL_DISABLED` if clients may not load and unload models */
export function requireControl(repository: RepositoryControl): void {
  if (repository.controlled) return;
  throw new ServeError(
    'CONTROL_DISABLED',
    'Models cannot be loaded or unloaded here; start the server with MODEL_CONTROL_MODE=explicit.',
  );
}

/**
 * Loads or reloads a model.
 *
 * @param override Replaces files of the model; undefined loads those on disk.
 * @throws {ServeError} `LOAD_FAILED` if the model cannot be loaded, which is not a fault of the server
 */
export async function loadModel(
  repository: RepositoryControl,
  name: string,
  override: LoadOverride | undefined,
): Promise<void> {
  try {
    await repository.load(name, override);
  } catch (error) {
    if (error instanceof ServeError && ['INVALID_CONFIG', 'MODEL_NOT_READY'].includes(error.code)) {
      throw new ServeError('LOAD_FAILED', error.message, { cause: error });
    }
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Parses the body's JSON object. An empty body counts as `{}`. */
function parseObject(text: string): Fields {
  if (text.trim() === '') return {};
  return object(parseJson(text), 'The body');
}

function object(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalidArgument(`${what} must be a JSON object.`);
}

function refuseName(name: unknown): void {
  if (name === undefined || name === '') return;
  throw invalidArgument('repository_name is not supported: there is one repository.');
}

/** Accepts only `unload_dependents`, which has no effect, because no model has dependents. @throws {ServeError} */
function checkUnloadParameters(parameters: unknown): void {
  if (parameters === undefined) return;
  for (const [key, value] of Object.entries(object(parameters, 'parameters'))) {
    if (key !== 'unload_dependents' || typeof value !== 'boolean') {
      throw invalidArgument(
        'parameters may hold unload_dependents, true or false, and nothing else.',
      );
    }
  }
}

const FILE = 'file:';

/**
 * Decodes the parameters that replace files of a model.
 *
 * @param parameters `config` as a string, and files such as `file:1/model.onnx` as base64 or bytes.
 * @returns undefined if the model is to be loaded from its files on disk
 * @throws {ServeError} `INVALID_ARGUMENT`
 */
export function toOverride(parameters: unknown): LoadOverride | undefined {
  if (parameters === undefined) return undefined;
  const { config, ...rest } = object(parameters, 'parameters');
  const files = new Map<string, Uint8Array>();
  for (const [key, value] of Object.entries(rest)) {
    if (!key.startsWith(FILE)) {
      throw invalidArgument(
        `The parameter ${key} is unknown; the parameters are config and file:<path>.`,
      );
    }
    files.set(filePath(key.slice(FILE.length)), fileBytes(key, value));
  }
  if (config === undefined) {
    if (files.size === 0) return undefined;
    throw invalidArgument(
      'Files need the parameter config, the configuration of the model; send both.',
    );
  }
  if (typeof config !== 'string') throw invalidArgument('The parameter config must be a string.');
  return { config, files };
}

function filePath(path: string): string {
  if (/^[1-9]\d*\/[^/\\]+$/.test(path)) return path;
  throw invalidArgument(
    'The parameter of a file must have its version and name, such as file:1/model.onnx.',
  );
}

function fileBytes(key: string, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string' || !isBase64(value)) {
    throw invalidArgument(`The parameter ${key} must be base64.`);
  }
  return new Uint8Array(Buffer.from(value, 'base64'));
}

/** Whether a text is base64, which may contain white space. The patterns take linear time. */
function isBase64(text: string): boolean {
  const digits = text.replace(/\s+/g, '').replace(/={1,2}$/, '');
  return !/[^A-Za-z0-9+/]/.test(digits);
}
