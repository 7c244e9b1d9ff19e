/** @module The routes of jobs: requests that are stored, and run later. */

import type { Context } from 'hono';
import {
  type BatchSource,
  type Jobs,
  jobJson,
  type Made,
  type Owner,
  type Runtime,
  ServeError,
  tarImages,
  Workspace,
  zipImages,
} from '../../runtime/index.ts';
import { isNumberKey, readPage, toPage } from '../admin/query.ts';
import { MAX_JSON_BYTES, parseJson } from '../http/codec-json.ts';
import { controlBodies } from '../http/control-body.ts';
import type { RouteBuilder, ServiceDefinition } from '../http/service-definition.ts';
import { BATCH_TYPES, type BatchForm, batchForm, batchPieces } from './batch-body.ts';
import { createInferRoutes, type QueriedRoutes } from './infer-routes.ts';
import { memberText } from './member-text.ts';
import { describeJobs } from './openapi.ts';
import { readArchive, readBatch, readJob, readStatus, readWait } from './schema.ts';
import { HEARTBEAT, serverEvent, streamed } from './streams.ts';

/** Maximum lines of a batch. */
const MAX_LINES = 1_000_000;
/** Maximum batches that one HTTP thread receives at once. */
const MAX_BATCHES = 16;
/** Maximum archives among them, each of which holds a few of its images in memory. */
const MAX_ARCHIVES = 4;
/** Time between two signs of life on a stream of events, milliseconds: shorter than proxies wait. */
const HEARTBEAT_MS = 15_000;

/**
 * Adds the routes of jobs, and begins to run jobs.
 *
 * @param builder That of a service with `needsStore`.
 * @param services The services whose infer routes jobs may ask.
 */
export function jobRoutes(builder: RouteBuilder, services: readonly ServiceDefinition[]): void {
  const { runtime } = builder;
  const jobs = runtime.platform?.jobs;
  if (jobs === undefined) throw new Error('The routes of jobs need a store');
  const routes = createInferRoutes(runtime, services);
  addCreate(builder, jobs, routes);
  addBatches(builder, jobs, routes);
  addList(builder, jobs);
  addOne(builder, jobs);
  addStreams(builder, jobs);
  describeJobs(builder);
  jobs.start(routes);
}

function addCreate({ managed, runtime }: RouteBuilder, jobs: Jobs, { check }: QueriedRoutes): void {
  const handle = controlBodies(runtime);
  const limit = Math.min(runtime.config.maxRequestBytes, MAX_JSON_BYTES);
  managed(
    '/jobs',
    (c) =>
      handle(c.req.raw, limit, async (text) => {
        const request = readJob(c, parseJson(text), memberText(text, 'body'));
        check(request, request.body);
        return created(c, await jobs.create(ownerOf(runtime, c), request));
      }),
    'POST',
  );
}

function addBatches(
  { managed, runtime }: RouteBuilder,
  jobs: Jobs,
  { check, members }: QueriedRoutes,
): void {
  const { bodyTimeoutMs, maxRequestBytes } = runtime.config;
  const lineBytes = Math.min(maxRequestBytes, MAX_JSON_BYTES);
  const received = new Receiving();
  managed(
    '/jobs/batches',
    async (c) => {
      const form = batchForm(c.req.raw);
      if (form instanceof ServeError) throw form;
      const { request, query } =
        form === 'lines' ? { request: readBatch(c), query: [] } : readArchive(c);
      check(request, undefined);
      const options = form === 'lines' ? {} : members(request, query);
      return received.during(form, async () => {
        const pieces = batchPieces(c.req.raw, bodyTimeoutMs);
        const lines = { pieces, lineBytes, lines: MAX_LINES };
        const receive = (source: BatchSource) => jobs.receive(ownerOf(runtime, c), request, source);
        if (form === 'lines') return created(c, await receive(lines));
        const about = JSON.stringify([form, options]);
        if (form === 'tar') {
          return created(c, await receive({ ...lines, about, toLines: tarImages(options) }));
        }
        await using workspace = await Workspace.open(runtime.config);
        const toLines = zipImages(workspace.upload, options);
        return created(c, await receive({ ...lines, about, toLines }));
      });
    },
    'POST',
    BATCH_TYPES,
  );
}

function addList({ managed, runtime }: RouteBuilder, jobs: Jobs): void {
  managed('/jobs', async (c) => {
    const { limit, after } = readPage(c, isNumberKey);
    const page = { status: readStatus(c), limit, before: after?.[0] };
    const found = await jobs.list(ownerOf(runtime, c), page);
    const { items, next } = toPage(found, limit, ({ seq }) => [seq]);
    const list = items.map((job) => jobJson(job)).join(',');
    return json(c, `{"items":[${list}],"next":${JSON.stringify(next)}}`);
  });
}

function addOne({ managed, runtime }: RouteBuilder, jobs: Jobs): void {
  managed('/jobs/:id', async (c) => {
    const owner = ownerOf(runtime, c);
    const job = await jobs.find(owner, c.req.param('id')!, readWait(c), c.req.raw.signal);
    return json(c, jobJson(job));
  });
  managed(
    '/jobs/:id',
    async (c) => json(c, jobJson(await jobs.cancel(ownerOf(runtime, c), c.req.param('id')!))),
    'DELETE',
  );
}

function addStreams({ managed, runtime }: RouteBuilder, jobs: Jobs): void {
  managed('/jobs/:id/events', async (c) => {
    const [owner, id] = await seen(runtime, jobs, c);
    const events = async function* (signal: AbortSignal) {
      for await (const job of jobs.follow(owner, id, HEARTBEAT_MS, signal)) {
        yield job === undefined ? HEARTBEAT : serverEvent('job', jobJson(job));
      }
    };
    return streamed(c, 'text/event-stream', events, runtime.log);
  });
  managed('/jobs/:id/results', async (c) => {
    const [owner, id] = await seen(runtime, jobs, c);
    const results = (signal: AbortSignal) => jobs.results(owner, id, signal);
    return streamed(c, 'application/x-ndjson', results, runtime.log);
  });
}

/** The owner and the id of a job that the caller sees. @throws {ServeError} `NOT_FOUND` before a stream begins */
async function seen(runtime: Runtime, jobs: Jobs, c: Context): Promise<[Owner, string]> {
  const owner = ownerOf(runtime, c);
  const { id } = await jobs.find(owner, c.req.param('id')!, 0, c.req.raw.signal);
  return [owner, id];
}

/** Whose jobs the caller sees: everyone's, if callers are not authenticated. */
function ownerOf({ access }: Runtime, c: Context): Owner {
  const principal = access.authenticate(c.req.raw.headers);
  if (principal instanceof ServeError) throw principal;
  return principal.subject;
}

/** 202 for a new job, and 200 for the one that the same key has made before. */
function created(c: Context, { id, status, created: isNew }: Made): Response {
  const headers = { Location: `/jobs/${id}` };
  return c.json({ job_id: id, status }, isNew ? 202 : 200, headers);
}

const json = (c: Context, text: string): Response =>
  c.body(text, 200, { 'Content-Type': 'application/json' });

/** The batches that the thread receives. */
class Receiving {
  #batches = 0;
  #archives = 0;

  /** @throws {ServeError} `OVERLOADED` if there are too many; what `receive` throws */
  async during<Result>(form: BatchForm, receive: () => Promise<Result>): Promise<Result> {
    const archives = form === 'lines' ? 0 : 1;
    if (this.#batches >= MAX_BATCHES) throw tooMany(`${MAX_BATCHES} batches`);
    if (archives > 0 && this.#archives >= MAX_ARCHIVES) throw tooMany(`${MAX_ARCHIVES} archives`);
    this.#batches += 1;
    this.#archives += archives;
    try {
      return await receive();
    } finally {
      this.#batches -= 1;
      this.#archives -= archives;
    }
  }
}

const tooMany = (what: string): ServeError =>
  new ServeError('OVERLOADED', `The server already receives ${what}; retry later.`);
