/** @module Observes the requests that routes give to their arms, and copies some of them to shadows. */

import type { RunResult, Tensors } from '../../native/index.ts';
import type { Clock } from '../clock.ts';
import type { ServeCode, ServeError } from '../errors.ts';
import type { CounterSeries, HistogramSeries, Metric, Metrics } from '../metrics/index.ts';
import type { ModelVersion } from '../model.ts';
import { type Answer, compareAnswers, outputsOf } from './compare.ts';
import { type ArmName, type Comparison, type Observer, SHADOW } from './observer.ts';
import { type CopiedRequest, type Copy, ShadowQueue } from './shadow.ts';
import { Arm, type Random } from './split.ts';
import { shownElements } from './tensors.ts';

/** Errors of the arm that got the request. All others are the client's mistakes, or its absence. */
const OF_ARM: readonly ServeCode[] = [
  'INTERNAL',
  'MODEL_NOT_READY',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
];

/** Bounds of latencies, seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Who gets the request's response. */
export interface Recipient {
  /** The id by which feedback names the request. */
  readonly id?: string | undefined;
  /** Set to the version that a route has chosen, so that every response can name it, even that of an error. */
  modelVersion?: string | undefined;
}

/** What a response says. */
export interface Predicted {
  /** As in `Observation`. */
  readonly prediction: unknown;
  readonly confidence: number | undefined;
}

export interface ArmTrafficParts {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly random: Random;
  /** As in `ShadowQueue`. */
  readonly isBusy: () => boolean;
  /** Whether comparisons carry inputs. */
  readonly keepInputs: boolean;
}

type Outcome = 'ok' | 'failed';
type CopyOutcome = 'agreed' | 'disagreed' | 'failed' | 'dropped';

/** The traffic of one HTTP thread that routes have divided. */
export class ArmTraffic {
  readonly parts: ArmTrafficParts;
  readonly shadows: ShadowQueue;
  readonly #observers: Observer[] = [];
  readonly #durations: Metric<'model' | 'version' | 'arm' | 'outcome', HistogramSeries>;
  readonly #copies: Metric<'model' | 'version' | 'outcome', CounterSeries>;
  readonly #series = new WeakMap<Arm, Partial<Record<Outcome, HistogramSeries>>>();

  constructor(parts: ArmTrafficParts) {
    const { metrics } = parts;
    this.parts = parts;
    this.shadows = new ShadowQueue(parts.clock, parts.isBusy);
    this.#durations = metrics.histogram(
      {
        name: 'millrace_arm_request_duration_seconds',
        help: 'Time from the choice of an arm of a route to the response, and of copies on the shadow',
        labels: ['model', 'version', 'arm', 'outcome'],
      },
      BOUNDS,
    );
    this.#copies = metrics.counter({
      name: 'millrace_shadow_requests_total',
      help: 'Requests chosen for a shadow, by what became of the copy',
      labels: ['model', 'version', 'outcome'],
    });
  }

  /** Reports to one more observer from now on. */
  attach(observer: Observer): void {
    this.#observers.push(observer);
  }

  /** Begins to observe a request; undefined if it names its version, or its route has only one. */
  begin(choice: ModelVersion | Arm, recipient: Recipient): Trial | undefined {
    if (!(choice instanceof Arm)) return undefined;
    recipient.modelVersion = choice.version;
    return new Trial(this, choice, recipient.id ?? '', this.parts.clock.now());
  }

  /** @param latencyMs As in `Observation`, like the others. */
  observe(
    arm: Arm,
    requestId: string,
    latencyMs: number,
    failed: boolean,
    predicted: Predicted | undefined,
  ): void {
    this.#seriesOf(arm, failed ? 'failed' : 'ok').observe(latencyMs / 1000);
    if (this.#observers.length === 0) return;
    const { model, version, name, period } = arm;
    const { confidence, prediction } = predicted ?? NOTHING;
    const about = { model, requestId, arm: name, version, period, latencyMs, failed };
    const observation = { ...about, confidence, prediction };
    for (const observer of this.#observers) observer.observe(observation);
  }

  compared(comparison: Comparison): void {
    const { model, shadow, failed, agrees, latencyMs } = comparison;
    this.countCopy(model, shadow, failed ? 'failed' : agrees ? 'agreed' : 'disagreed');
    this.#find(model, shadow, SHADOW, failed ? 'failed' : 'ok').observe(latencyMs / 1000);
    for (const observer of this.#observers) observer.compared(comparison);
  }

  countCopy(model: string, version: string, outcome: CopyOutcome): void {
    seriesOrNone(() => this.#copies.series({ model, version, outcome }))?.add();
  }

  /** Takes and runs no more copies. */
  close(): void {
    this.shadows.close();
  }

  #seriesOf(arm: Arm, outcome: Outcome): HistogramSeries {
    let known = this.#series.get(arm);
    if (known === undefined) {
      known = {};
      this.#series.set(arm, known);
    }
    const { model, version, name } = arm;
    known[outcome] ??= this.#find(model, version, name, outcome);
    return known[outcome];
  }

  #find(model: string, version: string, arm: ArmName, outcome: Outcome): HistogramSeries {
    return seriesOrNone(() => this.#durations.series({ model, version, arm, outcome })) ?? NOWHERE;
  }
}

const NOTHING: Predicted = { confidence: undefined, prediction: undefined };
const NOWHERE: HistogramSeries = { observe() {} };

/** A process has a limited number of series. A request does not fail because there are none left. */
function seriesOrNone<Series>(find: () => Series): Series | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

/** The step of a request that is made again for the shadow. */
interface Preparation<Request> {
  prepare(request: Request, version: ModelVersion): CopiedRequest | Promise<CopiedRequest>;
}

/** A request to an arm, from the choice of its version to its response. */
export class Trial {
  readonly #traffic: ArmTraffic;
  readonly #arm: Arm;
  readonly #requestId: string;
  readonly #startedMs: number;
  #copy: Copy | undefined;
  /** Whether the request could not be prepared for the shadow. */
  #isUnfit = false;

  constructor(traffic: ArmTraffic, arm: Arm, requestId: string, startedMs: number) {
    this.#traffic = traffic;
    this.#arm = arm;
    this.#requestId = requestId;
    this.#startedMs = startedMs;
  }

  /**
   * Copies the request if it is one of those for the shadow. Must be called, and waited for, before its run, which may free
   * its memory.
   *
   * @param steps They prepare the request for the shadow, whose inputs may differ.
   */
  copy<Request>(steps: Preparation<Request>, request: Request): Promise<void> | undefined {
    const { shadow } = this.#arm;
    if (shadow === undefined || this.#traffic.parts.random() >= shadow.fraction) return undefined;
    if (!this.#traffic.shadows.hasRoom) {
      this.#count('dropped');
      return undefined;
    }
    const refuse = () => {
      this.#isUnfit = true;
    };
    try {
      const prepared = steps.prepare(request, shadow.loaded);
      if (prepared instanceof Promise) return prepared.then((made) => this.#keep(made), refuse);
      this.#keep(prepared);
    } catch {
      refuse();
    }
    return undefined;
  }

  /** Records that the version has responded, and compares the shadow with it later. */
  succeeded(
    version: ModelVersion,
    results: readonly RunResult[],
    predicted: Predicted | undefined,
  ): void {
    this.#observe(false, predicted);
    if (this.#isUnfit) this.#shadowFailed(0);
    const copy = this.#copy;
    if (copy === undefined) return;
    this.#traffic.shadows.run(copy, (shadow) => {
      if (shadow.results === undefined) this.#shadowFailed(shadow.latencyMs);
      else this.#compare({ version, results }, copy, shadow.results, shadow.latencyMs);
    });
  }

  /** Records that the request has failed. */
  failed({ code }: ServeError): void {
    if (OF_ARM.includes(code)) this.#observe(true);
    if (this.#copy !== undefined) this.#traffic.shadows.discard(this.#copy);
  }

  #observe(failed: boolean, predicted?: Predicted): void {
    const latencyMs = this.#traffic.parts.clock.now() - this.#startedMs;
    this.#traffic.observe(this.#arm, this.#requestId, latencyMs, failed, predicted);
  }

  #keep(request: CopiedRequest): void {
    this.#copy = this.#traffic.shadows.copy(this.#arm.shadow!.loaded, request);
    if (this.#copy === undefined) this.#count('dropped');
  }

  #count(outcome: CopyOutcome): void {
    this.#traffic.countCopy(this.#arm.model, this.#arm.shadow!.version, outcome);
  }

  #compare(own: Answer, copy: Copy, results: readonly RunResult[], latencyMs: number): void {
    const other = { version: copy.version, results };
    const difference = compareAnswers(own, other, this.#arm.shadow!.tolerance);
    const show = (tensors: Tensors) => (difference.agrees ? undefined : shownElements(tensors));
    this.#traffic.compared({
      ...this.#comparison(latencyMs),
      ...difference,
      failed: false,
      outputs: show(outputsOf(own.results[0]!)),
      shadowOutputs: show(outputsOf(results[0]!)),
      inputs: this.#traffic.parts.keepInputs ? show(copy.runs[0]!) : undefined,
    });
  }

  #shadowFailed(latencyMs: number): void {
    this.#traffic.compared({
      ...this.#comparison(latencyMs),
      failed: true,
      agrees: undefined,
      maxAbsDifference: undefined,
      outputs: undefined,
      shadowOutputs: undefined,
      inputs: undefined,
    });
  }

  #comparison(latencyMs: number) {
    const { model, name: arm, version, period, shadow } = this.#arm;
    const requestId = this.#requestId;
    return { model, requestId, arm, version, period, shadow: shadow!.version, latencyMs };
  }
}
