/** @module A process follows what another one registers and promotes, over one PostgreSQL. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { noPostgres, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { MODELS, ROW, start } from './support.ts';

const CONFIG = MODELS.iris!.config;
const file = (version: string) => MODELS.iris!.versions[version] ?? MODELS.iris!.versions['v1.0']!;

test('what one process changes is in effect in all its threads at once, and soon in those of another', {
  skip: noPostgres,
}, async () => {
  await using postgres = await startPostgres();
  const artifacts = mkdtempSync(path.join(tmpdir(), 'millrace-artifacts-'));
  const url = await postgres.createDatabase();
  const env = { DATABASE_URL: url, ARTIFACTS: artifacts, MAX_WORKERS: '2' };
  await using gateway = await start({ ...env, SERVICE: 'gateway' });
  await using other = await start(env, { iris: MODELS.iris! });
  const change = async (method: string, below: string, body?: object | FormData) => {
    const response = await fetch(`${gateway.url}/admin/models/iris/${below}`, {
      method,
      ...(body instanceof FormData ? { body } : {}),
      ...(body === undefined || body instanceof FormData
        ? {}
        : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${below}: ${response.status} ${text}`);
  };
  const register = (version: string) => {
    const form = new FormData();
    form.set('version', version);
    form.set('config', JSON.stringify(Object.assign({}, CONFIG, { default: undefined })));
    form.set('artifact', new Blob([readFileSync(file(version))]), 'model.onnx');
    return change('POST', 'versions', form);
  };
  /** Whether all threads of a process respond with this version or status. */
  const answers = async (url: string, version: string | undefined, expected: string | number) => {
    for (let i = 0; i < 8; i += 1) {
      const response = await fetch(`${url}/predict`, {
        method: 'POST',
        // Each request gets a connection of its own, and so a thread at random.
        headers: { 'Content-Type': 'application/json', Connection: 'close' },
        body: JSON.stringify({ features: ROW, model: 'iris', model_version: version }),
      });
      const { model_version } = (await response.json()) as { model_version?: string };
      if ((model_version ?? response.status) !== expected) return false;
    }
    return true;
  };
  const served = (version: string | undefined, expected: string | number, what: string) =>
    until(() => answers(other.url, version, expected), what);
  try {
    await register('v2.0');
    assert.ok(
      await answers(gateway.url, 'v2.0', 'v2.0'),
      'all threads of its own process serve it at once',
    );
    await served('v2.0', 'v2.0', 'the registered version is served');
    await change('POST', 'promote', { version: 'v2.0' });
    assert.ok(await answers(gateway.url, undefined, 'v2.0'));
    await served(undefined, 'v2.0', 'the promoted version gets all requests');
    await postgres.terminateBackends();
    await register('v3.0');
    await served('v3.0', 'v3.0', 'it follows also when its connections were cut');
    await change('POST', 'promote', { version: 'v1.0' });
    await change('DELETE', 'versions/v2.0');
    await served('v2.0', 404, 'the archived version is not served any more');
    await served(undefined, 'v1.0', 'the old version gets all requests');
  } finally {
    rmSync(artifacts, { recursive: true, force: true });
  }
});
