/**
 * Devices as part of the engine's contract: what can be set for each, and what a load found out.
 *
 * @module
 */

/** Options of every GPU. */
interface GpuOptions {
  /**
   * Replay a recorded CUDA graph for each bucket, where the model allows it; the report says where and
   * why not. Default: true with CUDA, false with TensorRT.
   */
  graphs?: boolean;
  /** Order copies and runs by events on a stream of the engine's own. Default: true. */
  ownStream?: boolean;
  /** Batches on their way at once: with 2 one is copied while another runs. Default 2; 1 to 8. */
  slots?: number;
  /** Find out with a profiled run where each node runs. Default: true. */
  placement?: boolean;
  /** Refuse a model of which a node would run on the CPU. Default: false. */
  forbidCpuNodes?: boolean;
}

/** Options of `cuda`. What is left out has ONNX Runtime's own default, `convSearch` aside. */
export interface CudaOptions extends GpuOptions {
  /** Most memory that ONNX Runtime's arena takes of the GPU, bytes. */
  memoryLimitBytes?: number;
  /** How the arena grows. */
  arenaStrategy?: 'nextPowerOfTwo' | 'sameAsRequested';
  /** How convolutions choose their algorithm for a new shape. Default: `heuristic`; `exhaustive` tries all. */
  convSearch?: 'heuristic' | 'exhaustive' | 'default';
  /** Let convolutions use as much workspace as their fastest algorithm wants. */
  convMaxWorkspace?: boolean;
  /** Pad one-dimensional convolutions as `[N, C, 1, D]` instead of `[N, C, D, 1]`. */
  conv1dPadToNc1d?: boolean;
  /** Fuse a convolution with its bias. */
  fuseConvBias?: boolean;
  /** Multiply float32 matrices in TF32, with 10 bits of mantissa, on GPUs that can. */
  tf32?: boolean;
  /** Run convolutions with channels last. */
  nhwc?: boolean;
  /** Compute skip-layer normalisation in float32. */
  strictSkipLayerNorm?: boolean;
}

/** Options of `tensorrt`, and of CUDA, which runs what TensorRT leaves over. */
export interface TensorRtOptions extends CudaOptions {
  fp16?: boolean;
  bf16?: boolean;
  int8?: boolean;
  /** Name of the calibration table, for `int8` without quantised nodes. */
  int8CalibrationTable?: string;
  /** Most scratch memory of an engine, bytes. */
  workspaceBytes?: number;
  /** 0 (quick to build) to 5 (quick to run). */
  builderLevel?: number;
  /** Streams beside the main one, 0 to 64. */
  auxiliaryStreams?: number;
  /** Fewest nodes that are worth an engine. */
  minSubgraphSize?: number;
  /** Compute layer normalisation in float32 with `fp16`. */
  layerNormFp32?: boolean;
  /** Use structured sparsity. */
  sparsity?: boolean;
  /** Share scratch memory between the engines of a model. */
  contextMemorySharing?: boolean;
  /** Operators that are left to CUDA, as `Einsum,NonZero`. */
  excludeOps?: string;
  /** Build engines that run on every GPU from Ampere on. */
  hardwareCompatible?: boolean;
  /** Use timings of another GPU of the same compute capability. */
  forceTimingCache?: boolean;
  /** Write the engines into an ONNX file. */
  dumpEpContext?: boolean;
  /** Its path. */
  epContextFile?: string;
}

export type DeviceOptions = CudaOptions | TensorRtOptions;

/** Where one node of the optimised model ran. */
export interface NodePlacement {
  readonly name: string;
  readonly op: string;
  /** ONNX Runtime's name, such as `CUDAExecutionProvider`. */
  readonly provider: string;
}

/** What a load found out about the device. */
export interface DeviceReport {
  /** Where the model runs: `cpu`, `cuda:0`, `tensorrt:all`. */
  readonly device: string;
  /** Why it does not run on a GPU, where `auto` would have; else ''. */
  readonly fallback: string;
  /** What was turned off or left undone, and why. */
  readonly notes: readonly string[];
  /** The nodes, on a GPU. What TensorRT runs as one engine is one node. */
  readonly nodes: readonly NodePlacement[];
  /** The shapes that a GPU is prepared for, smallest first. */
  readonly buckets: readonly WarmBucket[];
}

export interface WarmBucket {
  /** Dimensions of each input, in the order of the signature. */
  readonly inputs: readonly (readonly number[])[];
  /** One run with its copies, measured while loading. */
  readonly ms: number;
  /** Whether a recorded graph is replayed. */
  readonly graph: boolean;
}
