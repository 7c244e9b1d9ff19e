/**
 * A generative model without a model: the test decides its tokens. It keeps the contract of the real one (streaming,
 * cancellation, deadlines, counters), so tests on it are valid for that.
 *
 * @module
 */
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { DeviceReport } from '../../native/device-types.ts';
import { MillraceError } from '../../native/errors.ts';
import { GenerationStream } from '../../native/generation-stream.ts';
import type {
  GenerateOptions,
  Generation,
  GenerationResult,
  GenerativeModel,
  GenerativeSignature,
  GeneratorOptions,
  GeneratorStats,
} from '../../native/generation-types.ts';
import type { Histogram } from '../../native/types.ts';

/** The behaviour of a generative model. */
export interface GeneratorScript {
  readonly signature?: Partial<GenerativeSignature>;
  /**
   * Returns the tokens that follow the input. The generation stops after them, or before the first that is one of
   * `eosTokenIds`, and has its full length after `maxNewTokens`. It may throw any error with which a generation may fail.
   */
  readonly tokens: (inputIds: readonly number[], options: GenerateOptions) => readonly number[];
}

/** Says the input backwards. */
export const puppetEcho: GeneratorScript = { tokens: (inputIds) => inputIds.toReversed() };

/** The options of a generation, and its input. */
export interface PuppetGeneration {
  readonly inputIds: readonly number[];
  readonly options: GenerateOptions;
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

const noHistogram: Histogram = { bounds: [], counts: [], count: 0, sum: 0 };

export class PuppetGenerator implements GenerativeModel {
  readonly name: string;
  readonly digest = '1'.repeat(64);
  readonly device: string;
  readonly report: DeviceReport;
  readonly signature: GenerativeSignature;
  closed = false;
  /** Every call of `generate`. */
  readonly generations: PuppetGeneration[] = [];
  readonly #script: GeneratorScript;
  #gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  /** What `stats()` reports of them; tests can also read it after `close()`. */
  readonly counts = {
    submitted: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    expired: 0,
    rejected: 0,
    queued: 0,
    running: 0,
    rows: 0,
    tokens: 0,
    promptTokens: 0,
  };

  constructor(script: GeneratorScript, options: GeneratorOptions) {
    this.name = options.name ?? 'puppet';
    this.device = options.device ?? 'cpu';
    this.report = { device: this.device, fallback: '', notes: [], nodes: [], shapes: [] };
    this.signature = {
      encoderDecoder: options.encoder !== undefined,
      vocabulary: 1000,
      maxPositions: options.maxPositions,
      cacheBytesPerToken: 64,
      mixedLengths: true,
      ...script.signature,
    };
    this.#script = script;
  }

  /** Holds every generation before its next token until `release()`. */
  hold(): void {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gate ??= { opened, open };
  }

  release(): void {
    this.#gate?.open();
    this.#gate = undefined;
  }

  generate(input: ArrayLike<number> | BigInt64Array, options: GenerateOptions = {}): Generation {
    const inputIds = Array.from(input as ArrayLike<number | bigint>, Number);
    const { signal, timeoutMs } = options;
    const { counts } = this;
    const stream = new GenerationStream(() => end('cancelled'));
    if (this.closed) {
      counts.rejected += 1;
      stream.fail(new MillraceError('FAILED_PRECONDITION', `Model '${this.name}' is closed`));
      return stream;
    }
    counts.submitted += 1;
    counts.running += 1;
    counts.rows += 1;
    counts.promptTokens += inputIds.length;
    this.generations.push({ inputIds, options });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (count: 'completed' | 'failed' | 'cancelled' | 'expired') => {
      counts.running -= 1;
      counts[count] += 1;
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
    const fail = (count: 'failed' | 'cancelled' | 'expired', reason: unknown) => {
      if (stream.ended) return;
      stream.fail(reason);
      end(count);
    };
    const abort = () => fail('cancelled', signal?.reason);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort);
    if (timeoutMs !== undefined) {
      const expire = () =>
        fail('expired', new MillraceError('DEADLINE_EXCEEDED', 'The deadline passed'));
      timer = setTimeout(expire, timeoutMs);
    }
    this.#run(stream, inputIds, options).then(
      (result) => {
        if (result === undefined || stream.ended) return;
        stream.succeed(result);
        end('completed');
      },
      (error: unknown) => fail('failed', error),
    );
    return stream;
  }

  stats(): GeneratorStats {
    if (this.closed) throw new MillraceError('FAILED_PRECONDITION', 'The model is closed');
    const { completed, rows, tokens } = this.counts;
    return {
      ...this.counts,
      batches: tokens,
      steps: tokens,
      stuckInstances: 0,
      batched: true,
      deviceLost: false,
      returningShare: 0,
      arrivalsPerSecond: 0,
      heldBack: 0,
      inlineRuns: 0,
      inlineLimitMs: 0,
      expectedWaitMs: 0,
      costs: [],
      sizes: [],
      answered: { count: completed, inputMs: 0, computeMs: 0, outputMs: 0 },
      lastRunAt: 0,
      queue: noHistogram,
      compute: noHistogram,
      cacheBytes: 0,
      cacheBytesLimit: 2 ** 30,
      cacheBytesPeak: rows === 0 ? 0 : this.signature.cacheBytesPerToken,
      copiedBytes: 0,
      stepsWithoutCopies: tokens,
    };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** Makes the tokens, one in each turn of the event loop. Returns nothing once the generation has ended otherwise. */
  async #run(
    stream: GenerationStream,
    inputIds: readonly number[],
    options: GenerateOptions,
  ): Promise<GenerationResult | undefined> {
    const { maxNewTokens = 128, numBeams = 1, stream: streams = true, eosTokenIds = [] } = options;
    const tokens: number[] = [];
    let finishReason: GenerationResult['finishReason'] = 'stop';
    const ends = [eosTokenIds].flat();
    for (const token of this.#script.tokens(inputIds, options)) {
      await nextTurn();
      await this.#gate?.opened;
      if (stream.ended) return undefined;
      if (ends.includes(token)) break;
      if (tokens.length === maxNewTokens) {
        finishReason = 'length';
        break;
      }
      tokens.push(token);
      this.counts.tokens += 1;
      if (streams && numBeams === 1) stream.push([token]);
    }
    return {
      tokens: Int32Array.from(tokens),
      finishReason,
      score: numBeams > 1 ? -1 : undefined,
      timings: {
        queueMs: 0.04,
        computeMs: 0.21,
        prefillMs: 0.11,
        decodeMs: 0.1,
        batchRows: numBeams,
        batchRequests: 1,
      },
      steps: tokens.length,
    };
  }
}
