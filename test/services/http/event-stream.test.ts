import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RequestHandler, ServeError } from '../../../runtime/index.ts';
import { createEdge, type EncodedResponse, type InferRoute } from '../../../services/http/edge.ts';
import { EventStream, toEvent } from '../../../services/http/event-stream.ts';
import { testService } from '../../support/service.ts';
import { until } from '../../support/until.ts';

interface Streamed {
  readonly events: EventStream;
}

/** A route that sends an event before its run and one after it, and then waits for `gate`. */
function streamRoute(
  before: readonly string[],
  gate: Promise<void>,
): InferRoute<string, Streamed, undefined> {
  return {
    path: '/stream',
    limit: 1024,
    read: (source) => source.request.text(),
    decode: () => ({ events: new EventStream() }),
    events: ({ events }) => events,
    errorBody: ({ message }, id) => ({ failed: message, id }),
    route: () => ({ model: undefined, version: 'v1.0' }),
    prepare({ events }) {
      for (const delta of before) events.send({ delta });
      const data = Float32Array.of(1, 2, 3, 4);
      const runs = [{ features: { type: 'float32' as const, dims: [1, 4], data } }];
      return { runs, outputs: undefined, context: undefined };
    },
    async respond(): Promise<EncodedResponse> {
      await gate;
      return { body: toEvent({ done: true }) + toEvent('[DONE]') };
    },
  };
}

const request = (signal?: AbortSignal) =>
  new Request('http://localhost/stream', {
    method: 'POST',
    body: '{}',
    headers: { 'Content-Type': 'application/json', 'X-Request-Id': 'mine' },
    ...(signal && { signal }),
  });

async function withRoute(
  before: readonly string[],
  gate: Promise<void>,
  use: (handler: RequestHandler, service: Awaited<ReturnType<typeof testService>>) => Promise<void>,
) {
  using service = await testService();
  await use(createEdge(service.runtime, 'test')(streamRoute(before, gate)), service);
  await service.runtime.close();
}

test('a response begins with its first event, and holds its permit until the last one', async () => {
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  await withRoute(['one'], gate, async (handler, { runtime }) => {
    const response = await handler(request());
    assert.equal(response.status, 200);
    assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
    assert.equal(response.headers.get('x-request-id'), 'mine');
    assert.equal(runtime.admission.inFlight, 1);
    open();
    const text = await response.text();
    assert.equal(text, 'data: {"delta":"one"}\n\ndata: {"done":true}\n\ndata: [DONE]\n\n');
    assert.equal(runtime.admission.inFlight, 0);
    const page = await runtime.metrics.render();
    assert.match(page, /http_requests_total\{[^}]*route="\/stream",status="200"[^}]*\} 1/);
  });
});

test('a response without events before its end is complete at once', async () => {
  await withRoute([], Promise.resolve(), async (handler) => {
    const response = await handler(request());
    assert.equal(await response.text(), 'data: {"done":true}\n\ndata: [DONE]\n\n');
  });
});

test('an error before the first event is an error response in the form of the route', async () => {
  await withRoute([], Promise.resolve(), async (handler, service) => {
    service.model('iris:v1.0').closed = true;
    const response = await handler(request());
    assert.equal(response.status, 503);
    const { failed, id } = (await response.json()) as { failed: string; id: string };
    assert.match(failed, /unloaded/);
    assert.equal(id, 'mine');
    assert.equal(service.runtime.admission.inFlight, 0);
  });
});

test('an error after the first event is the last event, and is counted by its status', async () => {
  const gate = Promise.reject(new ServeError('DEADLINE_EXCEEDED', 'Too late.'));
  gate.catch(() => {});
  await withRoute(['one'], gate, async (handler, { runtime }) => {
    const response = await handler(request());
    const events = (await response.text()).split('\n\n');
    assert.deepEqual(events, [
      'data: {"delta":"one"}',
      'data: {"failed":"Too late.","id":"mine"}',
      '',
    ]);
    assert.equal(runtime.admission.inFlight, 0);
    const page = await runtime.metrics.render();
    assert.match(page, /http_requests_total\{[^}]*route="\/stream",status="504"[^}]*\} 1/);
  });
});

test('a client that stops to read cancels the run', async () => {
  await withRoute(['one'], Promise.resolve(), async (handler, service) => {
    const model = service.model('iris:v1.0');
    model.hold();
    const response = await handler(request());
    await until(() => model.stats().queued === 1, 'the run waits');
    await response.body!.cancel();
    await until(() => service.runtime.admission.inFlight === 0, 'the permit is released');
    assert.equal(model.stats().cancelled, 1);
    model.release();
  });
});

test('a client that disconnects cancels the run', async () => {
  await withRoute(['one'], Promise.resolve(), async (handler, service) => {
    const model = service.model('iris:v1.0');
    model.hold();
    const client = new AbortController();
    await handler(request(client.signal));
    await until(() => model.stats().queued === 1, 'the run waits');
    client.abort();
    await until(() => service.runtime.admission.inFlight === 0, 'the permit is released');
    assert.equal(model.stats().cancelled, 1);
    model.release();
  });
});
