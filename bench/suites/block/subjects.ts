/** @module The measured ways to run a model, as data. */
import type { BenchModel } from '../../lib/models.ts';

/** A loaded model, which returns the scores of one row of features. */
export interface Subject extends AsyncDisposable {
  run(row: Float32Array): Promise<Float32Array>;
}

export const subjects: Readonly<Record<string, (model: BenchModel) => Promise<Subject>>> = {
  ours,
  'onnxruntime-node': onnxruntimeNode,
};

async function ours(model: BenchModel): Promise<Subject> {
  const { openEngine } = await import('../../../native/index.ts');
  const engine = openEngine();
  const loaded = await engine.load({
    path: model.file,
    batching: { maxRows: model.maxRows },
    instances: model.instances,
    intraOpThreads: model.intraOpThreads,
  });
  return {
    async run(data) {
      const dims = [1, data.length];
      const { outputs } = await loaded.run({ [model.input]: { type: 'float32', dims, data } });
      return outputs[model.output]!.data as Float32Array;
    },
    [Symbol.asyncDispose]: () => engine.close(),
  };
}

async function onnxruntimeNode(model: BenchModel): Promise<Subject> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(model.file);
  return {
    async run(data) {
      const input = new Tensor('float32', data, [1, data.length]);
      const outputs = await session.run({ [model.input]: input });
      return outputs[model.output]!.data as Float32Array;
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}
