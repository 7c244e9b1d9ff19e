/**
 * Serves models within this process, with the interface of the client and without a server.
 *
 * ```ts
 * import { createEngine } from 'millrace/engine';
 *
 * const engine = await createEngine({ models: 'models' });
 * ```
 *
 * @module
 */

import { resolve } from 'node:path';
import { openEngine } from '../../../native/index.ts';
import {
  createLog,
  createRuntime,
  type InferenceSteps,
  type Tensors as NativeTensors,
  type Outputs,
  type RouteContext,
  type Runtime,
  readConfig,
  ServeError,
} from '../../../runtime/index.ts';
import {
  type AnyModels,
  type AnyTensor,
  type Inference,
  InferenceError,
  type InferOptions,
  type InferResponse,
  type ModelMetadata,
  type ModelTypes,
} from './contract.ts';

export interface CreateEngineOptions {
  /** Folder of the model repository, in any layout that the server reads. Default: `models`. */
  readonly models?: string;
  /** The same as the setting `DEVICE`. Default: `cpu`. */
  readonly device?: string;
}

type Tensors = Readonly<Record<string, AnyTensor>>;

/**
 * Loads every model of a repository.
 *
 * @throws {ServeError} `INVALID_CONFIG`. A model that cannot be loaded does not affect the others: see `ready(model)`.
 */
export async function createEngine<
  M extends { readonly [Name in keyof M]: ModelTypes } = AnyModels,
>({ models = 'models', device = 'cpu' }: CreateEngineOptions = {}): Promise<Inference<M>> {
  const cwd = resolve('.');
  const config = readConfig([], { argv: [], env: { MODEL_PATH: models, DEVICE: device }, cwd });
  const engine = openEngine();
  try {
    const runtime = await createRuntime(config, engine, { log: createLog('silent') });
    const local = new LocalEngine(runtime, () => engine.close());
    return local as unknown as Inference<M>;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

class LocalEngine implements Inference {
  readonly #runtime: Runtime;
  readonly #release: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(runtime: Runtime, release: () => Promise<void>) {
    this.#runtime = runtime;
    this.#release = release;
  }

  async infer(
    model: string,
    inputs: Tensors,
    { version, outputs, priority, timeoutMs, signal, id }: InferOptions<Tensors> = {},
  ): Promise<InferResponse<Tensors>> {
    const refusal = this.#runtime.admission.acquire();
    if (refusal !== undefined) throw toInferenceError(refusal);
    try {
      // The caller keeps its memory: the engine takes over a copy.
      const request = { model, version, inputs: copied(inputs), outputs, priority };
      const caller = { signal, timeLeft: () => timeoutMs };
      const { response, version: served } = await this.#runtime.infer(steps, request, caller);
      const wanted = Object.entries(response).filter(
        ([name]) => outputs === undefined || outputs.includes(name),
      );
      return {
        model: served.model,
        version: served.version,
        id,
        outputs: Object.fromEntries(wanted) as Record<string, AnyTensor>,
      };
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw toInferenceError(error);
    } finally {
      this.#runtime.admission.release();
    }
  }

  async models(): Promise<readonly string[]> {
    return this.#runtime.models().map(({ name }) => name);
  }

  async metadata(model: string, version?: string): Promise<ModelMetadata> {
    try {
      const { routes } = this.#runtime;
      const { inputs, outputs } = routes.describe({ model, version }).signature;
      return {
        name: model,
        versions: routes
          .model({ model, version })
          .loaded()
          .map((loaded) => loaded.version),
        inputs: inputs.map(({ name, type, dims }) => ({ name, type, dims })),
        outputs: outputs.map(({ name, type, dims }) => ({ name, type, dims })),
      };
    } catch (error) {
      throw toInferenceError(error);
    }
  }

  async ready(model?: string): Promise<boolean> {
    try {
      return model === undefined
        ? this.#runtime.readyForV2()
        : this.#runtime.routes.isReady({ model, version: undefined });
    } catch (error) {
      throw toInferenceError(error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#runtime.admission.drain();
      await this.#runtime.close();
      await this.#release();
    })();
    return this.#closing;
  }
}

interface LocalRequest extends RouteContext {
  readonly inputs: NativeTensors;
  readonly outputs: readonly string[] | undefined;
  readonly priority: number | undefined;
}

const steps: InferenceSteps<LocalRequest, undefined, Outputs> = {
  route: (request) => request,
  prepare: ({ inputs, outputs, priority }) => ({
    runs: [inputs],
    outputs,
    priority,
    context: undefined,
  }),
  respond: ({ results }) => results[0]!.outputs,
};

function copied(inputs: Tensors): NativeTensors {
  const copies = Object.entries(inputs).map(([name, tensor]) => [
    name,
    { ...tensor, data: tensor.data.slice() },
  ]);
  return Object.fromEntries(copies) as NativeTensors;
}

function toInferenceError(error: unknown): unknown {
  if (!(error instanceof ServeError)) return error;
  const { code, message, retryAfterMs } = error;
  return new InferenceError(code, message, { retryAfterMs, cause: error });
}
