/**
 * The options of devices, and the report of what a load found out about a device.
 *
 * @module
 */

/** Options of every GPU. */
interface GpuOptions {
  /**
   * Replay a recorded CUDA graph for each device shape for which the model allows it; the report says for which
   * it does not, and why. Default: true with CUDA, false with TensorRT.
   */
  graphs?: boolean;
  /** Order copies and runs by events on a stream that belongs to the model. Default: true. */
  ownStream?: boolean;
  /** How many batches are in flight, 1 to 8. With 2, one is copied while another runs. Default: 2. */
  slots?: number;
  /** Find out with a profiled run on which provider each node runs. Default: true. */
  placement?: boolean;
  /** Refuse a model if one of its nodes would run on the CPU. Default: false. */
  forbidCpuNodes?: boolean;
}

/** Options of `cuda`. An option that is left out has ONNX Runtime's default, except `convSearch`. */
export interface CudaOptions extends GpuOptions {
  /** The most GPU memory that ONNX Runtime's arena takes, bytes. */
  memoryLimitBytes?: number;
  /** How the arena grows. */
  arenaStrategy?: 'nextPowerOfTwo' | 'sameAsRequested';
  /** How convolutions choose their algorithm for a new shape. Default: `heuristic`; `exhaustive` tries all. */
  convSearch?: 'heuristic' | 'exhaustive' | 'default';
  /** Let convolutions use as much workspace as their fastest algorithm needs. */
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

/** Options of `tensorrt`, and of CUDA, which runs the nodes that TensorRT does not. */
export interface TensorRtOptions extends CudaOptions {
  fp16?: boolean;
  bf16?: boolean;
  int8?: boolean;
  /** The name of the calibration table, for `int8` without quantised nodes. */
  int8CalibrationTable?: string;
  /** The most scratch memory of a TensorRT engine, bytes. */
  workspaceBytes?: number;
  /** The builder's optimisation level, from 0 (quick to build) to 5 (quick to run). */
  builderLevel?: number;
  /** Streams in addition to the main one, 0 to 64. */
  auxiliaryStreams?: number;
  /** The fewest nodes of which TensorRT makes a TensorRT engine. */
  minSubgraphSize?: number;
  /** Compute layer normalisation in float32 with `fp16`. */
  layerNormFp32?: boolean;
  /** Use structured sparsity. */
  sparsity?: boolean;
  /** Share scratch memory between the TensorRT engines of a model. */
  contextMemorySharing?: boolean;
  /** Operators that are left to CUDA, such as `Einsum,NonZero`. */
  excludeOps?: string;
  /** Build TensorRT engines that run on every GPU from Ampere on. */
  hardwareCompatible?: boolean;
  /** Use timings of another GPU of the same compute capability. */
  forceTimingCache?: boolean;
  /** Write the TensorRT engines into an ONNX file. */
  dumpEpContext?: boolean;
  /** The path of that file. */
  epContextFile?: string;
}

export type DeviceOptions = CudaOptions | TensorRtOptions;

/** The provider on which a node of the optimised model ran. */
export interface NodePlacement {
  readonly name: string;
  readonly op: string;
  /** ONNX Runtime's name of the provider, such as `CUDAExecutionProvider`. */
  readonly provider: string;
}

/** What a load found out about the device. */
export interface DeviceReport {
  /** The device on which the model runs: `cpu`, `cuda:0`, `tensorrt:all`. */
  readonly device: string;
  /** Why a model with the device `auto` does not run on a GPU; otherwise ''. */
  readonly fallback: string;
  /** Sentences about what was turned off or could not be done, and why. */
  readonly notes: readonly string[];
  /** The nodes of a model on a GPU. A TensorRT engine is one node. */
  readonly nodes: readonly NodePlacement[];
  /** The device shapes, smallest first; none on a CPU. */
  readonly shapes: readonly DeviceShape[];
}

/** A length bucket with a number of rows, for which a GPU has prepared buffers. */
export interface DeviceShape {
  /** The dimensions of each input, in the order of the signature. */
  readonly inputs: readonly (readonly number[])[];
  /** The time of one run with its copies, measured while loading, milliseconds. */
  readonly ms: number;
  /** Whether a recorded CUDA graph is replayed. */
  readonly graph: boolean;
}
