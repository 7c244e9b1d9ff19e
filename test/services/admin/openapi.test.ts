import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { type TestGateway, testGateway } from './support.ts';

let gateway: TestGateway;
before(async () => {
  gateway = await testGateway();
  await gateway.register('m', 'v1');
  await gateway.send('PUT', '/admin/models/m/labels/beta', { version: 'v1' });
});
after(() => gateway[Symbol.asyncDispose]());

interface Operation {
  readonly responses: Readonly<Record<string, { content: Record<string, { schema: unknown }> }>>;
}

test('the OpenAPI document of the gateway is valid, and has each route of the registry', async () => {
  const { body } = await gateway.send('GET', '/openapi.json');
  const { valid, errors } = await new Validator().validate(body);
  assert.ok(valid, JSON.stringify(errors));
  const operations = Object.entries(body.paths as Record<string, Record<string, Operation>>)
    .filter(([path]) => /^\/admin\/(?:models|events)/.test(path))
    .flatMap(([path, methods]) => Object.entries(methods).map(([m, each]) => ({ path, m, each })));
  const registry = operations.filter(({ path }) => !/\/(?:route|experiments)/.test(path));
  assert.deepEqual(registry.map(({ m, path }) => `${m} ${path}`).toSorted(), [
    'delete /admin/models/{name}/labels/{label}',
    'delete /admin/models/{name}/versions/{version}',
    'get /admin/events',
    'get /admin/models',
    'get /admin/models/{name}',
    'get /admin/models/{name}/labels',
    'get /admin/models/{name}/labels/{label}',
    'get /admin/models/{name}/versions',
    'get /admin/models/{name}/versions/{version}',
    'post /admin/models/{name}/promote',
    'post /admin/models/{name}/rollback',
    'post /admin/models/{name}/versions',
    'put /admin/models/{name}',
    'put /admin/models/{name}/labels/{label}',
  ]);
  const values: Readonly<Record<string, string>> = { name: 'm', version: 'v1', label: 'beta' };
  for (const { path, m, each } of operations) {
    const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name]!);
    const { status, body: reply } = await gateway.send(m.toUpperCase(), url);
    assert.ok(status < 500 && status !== 405, `${m} ${path}: ${status}`);
    assert.notEqual(reply.code, 'ROUTE_NOT_FOUND', `${m} ${path}`);
    assert.ok(String(status) in each.responses, `${m} ${path} does not describe ${status}`);
    // A body that stalls.
    if (m !== 'get') assert.ok('408' in each.responses, `${m} ${path} does not describe 408`);
  }
});
