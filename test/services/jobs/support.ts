/** @module The gateway with jobs that run, on a fake engine. */

import { TWO_VERSIONS } from '../../support/service.ts';
import { type Reply, type TestGateway, testGateway } from '../admin/support.ts';

type Options = Parameters<typeof testGateway>[0];

export const openJobs = (config: NonNullable<Options>['config'] = {}): Promise<TestGateway> =>
  testGateway({
    models: TWO_VERSIONS,
    config: { jobConcurrency: 4, webhookSecret: 'key', webhookAllow: ['hooks.test'], ...config },
  });

/** A job that succeeds. */
export const PREDICT = {
  service: 'prediction',
  path: '/predict',
  body: {
    features: [
      [5.1, 3.5, 1.4, 0.2],
      [6.2, 3.4, 5.4, 2.3],
    ],
  },
};

/** The inputs of a request of the V2 protocol that succeeds. */
export const INPUTS = [
  { name: 'features', datatype: 'FP32', shape: [1, 4], data: [5.1, 3.5, 1.4, 0.2] },
];

export async function submit(gateway: TestGateway, job: unknown = PREDICT): Promise<string> {
  const { status, body } = await gateway.send('POST', '/jobs', job);
  if (status !== 202) throw new Error(JSON.stringify(body));
  return body.job_id;
}

/** Sends a batch. */
export async function submitBatch(
  { app }: TestGateway,
  lines: BodyInit,
  query = '?service=prediction&path=/predict',
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const response = await app.request(`/jobs/batches${query}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson', ...headers },
    body: lines,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

export async function ended({ send }: TestGateway, id: string): Promise<Reply['body']> {
  const { body } = await send('GET', `/jobs/${id}?wait=20s`);
  return body;
}

/** The lines of a response of NDJSON. */
export async function linesOf(response: Response): Promise<Reply['body'][]> {
  const text = await response.text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
