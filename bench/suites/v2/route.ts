/** @module Our own service with JSON in JavaScript instead of the native codec. */
import { type Codec, openEngine, type Tensors } from '../../../native/index.ts';
import { createLog, currentHost, type Engine, readConfig } from '../../../runtime/index.ts';
import { startService } from '../../../services/service.ts';
import { services } from '../../../services/services.ts';
import { response } from './protocol.ts';

interface Target {
  readonly inputs: readonly { name: string; shape: number[]; data: number[] }[];
}

const parseInferRequest: Codec['parseInferRequest'] = (body) => {
  const { inputs } = JSON.parse(new TextDecoder().decode(body)) as Target;
  const tensors: Record<string, Tensors[string]> = {};
  for (const { name, shape, data } of inputs) {
    tensors[name] = { type: 'float32', dims: shape, data: Float32Array.from(data) };
  }
  const listed = inputs.map(({ name, shape }) => {
    return { name, shape, datatype: 'FP32' as const, parameters: {} };
  });
  return { json: { id: '', parameters: {}, inputs: listed, outputs: undefined }, tensors };
};

const encodeInferResponse: Codec['encodeInferResponse'] = ({ modelName, outputs }) => {
  const { name, tensor } = outputs[0]!;
  const data = Array.from(tensor.data as Float32Array);
  const text = JSON.stringify(response(modelName, { name, dims: tensor.dims }, { data }));
  return { body: new TextEncoder().encode(text), headerLength: undefined };
};

/** Serves a repository; returns the port. */
export async function serveRoute(repository: string): Promise<number> {
  const engine = openEngine();
  const scripted: Engine = {
    info: engine.info,
    counters: engine.counters,
    // Bodies of any size are parsed on this thread, because this route does not use the native codec.
    codec: {
      ...engine.codec,
      parseInferRequest,
      tryParseInferRequest: (body, headerLength) => parseInferRequest(body, headerLength),
      parseInferRequestAsync: async (body) => ({
        request: parseInferRequest(body, -1),
        taken: 0,
      }),
      encodeInferResponse,
      encodeInferResponseAsync: async (response) => encodeInferResponse(response),
    },
    images: engine.images,
    inspect: (path) => engine.inspect(path),
    load: (options) => engine.load(options),
    loadGenerator: (options) => engine.loadGenerator(options),
    close: () => engine.close(),
  };
  const settings = { SERVICE: 'inference', MODEL_PATH: repository, HOST: '127.0.0.1' };
  const env = { ...settings, PORT: '0', GRPC_PORT: '0', LOG_LEVEL: 'warn' };
  const config = readConfig(services, { argv: [], env, cwd: repository });
  const log = createLog(config.logLevel);
  const { ports } = await startService({
    config,
    engine: scripted,
    host: currentHost(),
    log,
    first: true,
  });
  return ports.inference!;
}
