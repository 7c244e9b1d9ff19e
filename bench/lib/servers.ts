/**
 * Starts, checks and drives the HTTP contenders of one model in turns.
 *
 * @module
 */
import type { HttpContender, Setup } from '../contenders/types.ts';
import { type Driver, JSON_HEADERS, type Load } from '../drivers/types.ts';
import { Child, jsonLine } from './child.ts';
import { type Reference, SCORE_TOLERANCE } from './models.ts';
import { machineBusy, sampleProcess, type ThreadUse, useBetween } from './proc.ts';
import { best, type PredictResponse } from './response.ts';

export interface Server {
  readonly contender: HttpContender;
  readonly child: Child;
  readonly url: string;
  /** Bytes of the body of its response. */
  readonly responseBytes: number;
}

/** Figures of a load driver and of /proc besides the rate. */
export interface HttpFigures {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly driverCpuUs: number;
  readonly busiest: ThreadUse;
  /** The number of cores that other processes kept busy. */
  readonly otherCores: number;
}

export type HttpMeasurement = {
  perSecond: number;
  serverCpuUs: number;
  failure?: string;
  http: HttpFigures;
};

/** Starts a contender and sends it one request. @throws if it does not start or its response differs from the model's. */
export async function startServer(
  contender: HttpContender,
  setup: Setup,
  reference: Reference,
): Promise<Server> {
  const child = await Child.start(contender.command(setup));
  try {
    const { port } = await child.line(jsonLine<{ port: number }>('port'));
    const url = `http://127.0.0.1:${port}/predict`;
    const text = await (await send(url, { body: requestBody(reference) })).text();
    const response = JSON.parse(text) as PredictResponse;
    const wrong = contender.computes ? mismatch(response, reference) : undefined;
    if (wrong)
      throw new Error(`${contender.title} has a wrong response for ${setup.model.name}: ${wrong}`);
    return { contender, child, url, responseBytes: Buffer.byteLength(text) };
  } catch (error) {
    await child[Symbol.asyncDispose]();
    throw error;
  }
}

export function requestBody({ features }: Reference): string {
  return JSON.stringify({ features });
}

/** Sends one request. @throws if the response is not 200. */
export async function send(
  url: string,
  { body, headers = JSON_HEADERS }: Pick<Load, 'body' | 'headers'>,
): Promise<Response> {
  const response = await fetch(url, { method: 'POST', headers, body: body as BodyInit });
  if (response.status === 200) return response;
  throw new Error(`${url} returned status ${response.status}: ${await response.text()}`);
}

/** The fault of a response; undefined if it is correct. */
export function mismatch(
  response: PredictResponse,
  { scores }: Pick<Reference, 'scores'>,
): string | undefined {
  const { index, score } = best(scores);
  if (Number(response.prediction) !== index) {
    return `class ${response.prediction}, expected ${index}`;
  }
  if (!(Math.abs(response.confidence - score) <= SCORE_TOLERANCE)) {
    return `score ${response.confidence}, expected ${score}`;
  }
  return undefined;
}

/** Makes one measurement: load from the driver, and CPU times of server and driver from /proc. */
export async function measureHttp(
  driver: Driver,
  server: Pick<Server, 'child' | 'url'>,
  load: Omit<Load, 'url'>,
): Promise<HttpMeasurement> {
  const sample = () => Promise.all([sampleProcess(server.child.pid), machineBusy()]);
  let before = await sample();
  const result = await driver.run({ ...load, url: server.url }, async () => {
    before = await sample();
  });
  const after = await sample();
  // The server may still work on requests that the driver no longer waits for. They must not disturb the next measurement.
  await (await send(server.url, load)).arrayBuffer();
  const use = useBetween(before[0], after[0]);
  const others = after[1] - before[1] - use.cpuSeconds - result.cpuSeconds;
  const perRequestUs = (seconds: number) => (seconds * 1e6) / Math.max(1, result.requests);
  const failure = failureOf(result);
  return {
    perSecond: result.requests / result.seconds,
    serverCpuUs: perRequestUs(use.cpuSeconds),
    ...(failure ? { failure } : {}),
    http: {
      meanMs: result.meanMs,
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
      driverCpuUs: perRequestUs(result.cpuSeconds),
      busiest: use.busiest,
      otherCores: Math.max(0, others / use.seconds),
    },
  };
}

function failureOf(result: {
  requests: number;
  non2xx: number;
  errors: number;
}): string | undefined {
  if (result.non2xx > 0) return `${result.non2xx} responses were not 2xx`;
  if (result.errors > 0) return `${result.errors} connections failed`;
  if (result.requests === 0) return 'no request got a response in the time';
  return undefined;
}
