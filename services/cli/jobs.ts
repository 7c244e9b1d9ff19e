/** @module `millrace jobs`: requests that run later, one by one or as a batch. */

import { openAsBlob } from 'node:fs';
import process from 'node:process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { addOption, type ImageOptions, imagesAt } from './job-images.ts';
import { fields, print, progress, say, sayJson, table } from './output.ts';
import { path, Refused, Server, type ServerOptions, withServer } from './server.ts';
import { toObject, toWhole } from './values.ts';

interface Job {
  readonly job_id: string;
  readonly status: string;
  readonly progress?: number;
  readonly attempts?: number;
  readonly created_at?: string;
}

interface SubmitOptions extends ServerOptions {
  readonly service: string;
  readonly path: string;
  readonly body?: object;
  readonly batch?: string;
  readonly images?: string;
  readonly option?: ImageOptions;
  readonly webhook?: string;
  readonly ttlSeconds?: number;
  readonly maxAttempts?: number;
  readonly idempotencyKey?: string;
  readonly wait?: boolean;
}

const ENDED = ['succeeded', 'failed', 'cancelled', 'expired'];

export function addJobs(program: Command): void {
  const jobs = program.command('jobs').description('Run requests later, alone or in batches');
  addSubmit(jobs);
  withServer(jobs.command('list').description('List jobs, the newest first'))
    .option('--status <status>', 'only those with this status')
    .action(async ({ status, ...options }: ServerOptions & { status?: string }) => {
      const found = await new Server(options).list<Job>('/jobs', { status });
      print(options, found, () =>
        table(
          ['job', 'status', 'progress', 'attempts', 'created'],
          found.map((job) => [
            ...[job.job_id, job.status, job.progress, job.attempts, job.created_at],
          ]),
        ),
      );
    });
  withServer(jobs.command('show').description('Show a job and its result'))
    .argument('<id>')
    .action(async (id: string, options: ServerOptions) => {
      print(options, await new Server(options).get<object>(path('jobs', id)), fields);
    });
  withServer(jobs.command('results').description('Print the results of a batch as they come'))
    .argument('<id>')
    .action(async (id: string, options: ServerOptions) => {
      const response = await new Server(options).stream('GET', path('jobs', id, 'results'));
      // The pipeline reads no faster than the reader of the output does.
      const body = response.body as unknown as Parameters<typeof Readable.fromWeb>[0];
      const results = Readable.fromWeb(body);
      await pipeline(results, process.stdout, { end: false });
    });
  withServer(jobs.command('cancel').description('Cancel a job, also while it runs'))
    .argument('<id>')
    .action(async (id: string, options: ServerOptions) => {
      const { body } = await new Server(options).call<Job>('DELETE', path('jobs', id));
      print(options, body, () => `Job ${id} is cancelled.`);
    });
}

function addSubmit(jobs: Command): void {
  withServer(jobs.command('submit').description('Store a request that is to run later'))
    .requiredOption('--service <service>', 'such as prediction')
    .requiredOption('--path <path>', 'an infer route of it, such as /predict')
    .option('--body <json>', 'the body of the request', toObject)
    .option('--batch <file>', 'a file with a body on each line, instead of --body')
    .option('--images <path>', 'a folder of images, or a .zip or .tar of one, instead of --body')
    .option('--option <name=value>', 'an option for each image, such as top_k=3', addOption)
    .option('--webhook <url>', 'where to report the end of the job')
    .option('--ttl-seconds <n>', 'time within which it must start', toWhole)
    .option('--max-attempts <n>', 'how often it is tried', toWhole)
    .option('--idempotency-key <key>', 'the same key and body give the same job')
    .option('--wait', 'wait for its end, with a progress bar on a terminal')
    .action(submit);
}

async function submit(given: SubmitOptions, command: Command): Promise<void> {
  const { idempotencyKey, wait, url, token, json } = given;
  const options: ServerOptions = { url, ...(token && { token }), ...(json && { json }) };
  const { body, batch, images, option } = given;
  if ([body, batch, images].filter((each) => each !== undefined).length !== 1) {
    command.error('error: write one of --body, --batch and --images');
  }
  if (option !== undefined && images === undefined) {
    command.error('error: write --option with --images only; a body has its options itself');
  }
  const server = new Server(options);
  const headers = idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey };
  const job = await (images !== undefined
    ? submitImages(server, given, images, headers)
    : batch !== undefined
      ? submitBatch(server, given, batch, headers)
      : submitOne(server, given, headers));
  if (!wait) return print(options, job, ({ job_id }) => job_id);
  const ended = await waitFor(server, job.job_id);
  if (json) sayJson(ended);
  else say(fields(ended));
  if (ended.status !== 'succeeded')
    throw new Refused(`The job has the status ${ended.status}.`, null);
}

async function submitOne(server: Server, given: SubmitOptions, headers: Record<string, string>) {
  const { service, path: route, body, webhook, ttlSeconds, maxAttempts } = given;
  const request = {
    ...{ service, path: route, body },
    ...(webhook && { webhook }),
    ...(ttlSeconds && { ttl_seconds: ttlSeconds }),
    ...(maxAttempts && { max_attempts: maxAttempts }),
  };
  return (await server.send<Job>('POST', '/jobs', request, { headers })).body;
}

async function submitBatch(
  server: Server,
  given: SubmitOptions,
  file: string,
  headers: Record<string, string>,
) {
  const body = await openAsBlob(file).catch(() => {
    throw new Refused(`Cannot read ${file}`);
  });
  const answer = await server.call<Job>('POST', '/jobs/batches', {
    body,
    headers: { 'Content-Type': 'application/x-ndjson', ...headers },
    query: queryOf(given),
  });
  return answer.body;
}

async function submitImages(
  server: Server,
  given: SubmitOptions,
  place: string,
  headers: Record<string, string>,
) {
  const { type, body, stop } = await imagesAt(place);
  try {
    const answer = await server.call<Job>('POST', '/jobs/batches', {
      ...{ body, headers: { 'Content-Type': type, ...headers } },
      query: { ...given.option, ...queryOf(given) },
    });
    return answer.body;
  } finally {
    stop();
  }
}

const queryOf = ({ service, path: route, webhook, ttlSeconds, maxAttempts }: SubmitOptions) => ({
  ...{ service, path: route, webhook },
  ttl_seconds: ttlSeconds?.toString(),
  max_attempts: maxAttempts?.toString(),
});

async function waitFor(server: Server, id: string): Promise<Job> {
  const bar = await progress('Running', 100);
  try {
    while (true) {
      const job = await server.get<Job>(path('jobs', id), { wait: '10s' });
      bar.update(Math.round((job.progress ?? 0) * 100));
      if (ENDED.includes(job.status)) return job;
    }
  } finally {
    bar.stop();
  }
}
