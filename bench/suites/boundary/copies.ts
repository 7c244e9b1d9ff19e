/**
 * Measures how often a large request is copied on its way to ONNX Runtime: `bun copies.ts TASK-AS-JSON`, with the
 * library of native/copies.cc preloaded. Prints a `CopyFigures` on one line.
 *
 * @module
 */
import { dlopen } from 'bun:ffi';
import { openEngine } from '../../../native/index.ts';

export interface CopyTask {
  /** The preloaded library. */
  readonly library: string;
  /** A model with one input and one number per row as its output. */
  readonly model: string;
  readonly input: string;
  readonly dims: readonly number[];
  /** The number of requests in flight, so that batches form. */
  readonly clients: number;
  readonly rounds: number;
}

/** The number of bytes copied per byte of a request. */
export interface CopyFigures {
  readonly copied: number;
  /** With `transfer: true`. */
  readonly transferred: number;
  /** With the tensor as binary data of a protocol request, at an odd offset in its body. */
  readonly parsed: number;
}

const task = JSON.parse(process.argv[2]!) as CopyTask;
const { symbols } = dlopen(task.library, {
  millrace_bench_count_copies: { args: ['u64'], returns: 'void' },
  millrace_bench_copied: { args: [], returns: 'u64' },
});
const elements = task.dims.reduce((product, size) => product * size, 1);
const bytes = elements * Float32Array.BYTES_PER_ELEMENT;

const engine = openEngine();
const model = await engine.load({ path: task.model, batching: { maxRows: task.clients } });

type Send = () => Promise<unknown>;

const send = (transfer: boolean): Send => {
  return () => {
    const data = new Float32Array(elements).fill(1);
    const tensor = { type: 'float32', dims: task.dims, data } as const;
    return model.run({ [task.input]: tensor }, { transfer });
  };
};

const parameters = { binary_data_size: bytes };
const input = { name: task.input, datatype: 'FP32', shape: task.dims, parameters };
const json = new TextEncoder().encode(JSON.stringify({ id: '', inputs: [input] }).padEnd(201));

const sendByProtocol: Send = () => {
  const body = new Uint8Array(json.length + bytes);
  body.set(json);
  const { tensors } = engine.codec.parseInferRequest(body, json.length);
  return model.run(tensors, { transfer: 'lend' });
};

async function measure(sendOnce: Send): Promise<number> {
  const round = () => Promise.all(Array.from({ length: task.clients }, sendOnce));
  await round();
  symbols.millrace_bench_count_copies(bytes);
  for (let i = 0; i < task.rounds; i += 1) await round();
  const copied = Number(symbols.millrace_bench_copied());
  return copied / (task.rounds * task.clients * bytes);
}

const figures: CopyFigures = {
  copied: await measure(send(false)),
  transferred: await measure(send(true)),
  parsed: await measure(sendByProtocol),
};
await engine.close();
console.log(JSON.stringify(figures));
