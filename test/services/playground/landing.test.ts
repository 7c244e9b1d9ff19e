import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createServiceApp, type ServiceApp } from '../../../services/http/create-service-app.ts';
import type { ServiceDefinition } from '../../../services/http/service-definition.ts';
import { nlp } from '../../../services/nlp/index.ts';
import { prediction } from '../../../services/prediction/index.ts';
import { assertErrorResponse } from '../../support/error-response.ts';
import { type TestService, testService } from '../../support/service.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const RUNNING = [
  { name: 'prediction', title: 'Prediction service', description: 'Rows.', port: 8001 },
  { name: 'nlp', title: 'NLP & <texts>', description: 'Texts.', port: 8002 },
];

/** A service of the process, which listens on two ports. */
const appOf = ({ runtime }: TestService, definition: ServiceDefinition = prediction): ServiceApp =>
  createServiceApp(runtime, definition, () => RUNNING);

interface Overview {
  service: string;
  ready: boolean;
  links: Record<string, string>;
  services: { name: string; port: number; url?: string }[];
  models: { name: string; versions: object[] }[];
}

async function overviewOf(app: ServiceApp, headers: Record<string, string> = {}) {
  const response = await app.request('/', { headers });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type')!, /^application\/json/);
  assert.match(response.headers.get('x-request-id')!, /^req_/);
  assert.match(response.headers.get('vary')!, /Accept/);
  return (await response.json()) as Overview;
}

async function pageOf(app: ServiceApp, headers: Record<string, string> = {}) {
  const response = await app.request('/', { headers: { Accept: BROWSER, ...headers } });
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type')!, /^text\/html/);
  const policy = response.headers.get('content-security-policy')!;
  assert.match(policy, /default-src 'none'/);
  return response.text();
}

describe('programs', () => {
  for (const accept of ['application/json', '*/*', 'application/json, text/html;q=0.5']) {
    test(`with Accept: ${accept} get JSON`, async () => {
      using service = await testService();
      const { links, models, ready } = await overviewOf(appOf(service), { Accept: accept });
      assert.equal(ready, true);
      assert.equal(links.docs, '/docs');
      const version = { state: 'ready', reason: '', task: 'classification' };
      const versions = [
        { version: 'v1.0', ...version },
        { version: 'v2.0', ...version },
      ];
      assert.deepEqual(models, [{ name: 'iris', versions }]);
    });
  }

  test('that post to a service without such a route are told the method', async () => {
    using service = await testService();
    const response = await appOf(service).request('/', { method: 'POST' });
    await assertErrorResponse(response, 405, 'METHOD_NOT_ALLOWED');
  });

  test('that post texts to the NLP service reach its own route', async () => {
    using service = await testService();
    const app = appOf(service, nlp);
    assert.equal((await overviewOf(app)).service, 'nlp');
    const response = await app.request('/', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"inputs": "text"}',
    });
    await assertErrorResponse(response, 404, 'MODEL_NOT_FOUND');
  });
});

describe('services', () => {
  const urlsOf = async (host: string) => {
    using service = await testService();
    const { services } = await overviewOf(appOf(service), { Host: host });
    return services.map(({ url }) => url);
  };

  for (const name of ['localhost', '10.0.0.7', '[::1]', 'models.example']) {
    test(`have addresses under the name ${name} if the client calls the port of this one`, async () => {
      assert.deepEqual(await urlsOf(`${name}:8001`), [
        `http://${name}:8001/`,
        `http://${name}:8002/`,
      ]);
    });
  }

  for (const host of ['models.example', 'models.example:8443', 'a b', '']) {
    test(`have ports only behind a proxy that is called '${host}'`, async () => {
      assert.deepEqual(await urlsOf(host), [undefined, undefined]);
    });
  }

  test('are listed without ports by an app that does not listen', async () => {
    using service = await testService();
    assert.deepEqual((await overviewOf(service.app)).services, []);
  });
});

describe('browsers', () => {
  test('get a page with the models, whose links to its own pages are paths', async () => {
    using service = await testService();
    const html = await pageOf(appOf(service), { Host: 'models.example' });
    assert.match(html, /<th scope="row">iris<\/th><td>v2\.0<\/td><td>classification<\/td>/);
    const links = [...html.matchAll(/href="(\/[^"]*)"/g)].map(([, link]) => link!);
    assert.deepEqual(links, [
      '/playground/style.css',
      '/playground',
      '/docs',
      '/ready',
      '/metrics',
    ]);
    for (const link of links) {
      assert.equal((await service.app.request(link)).status, 200, link);
    }
  });

  test('see texts as they are, whatever characters they have', async () => {
    using service = await testService();
    const html = await pageOf(appOf(service), { Host: 'localhost:8001' });
    assert.match(
      html,
      /<a href="http:\/\/localhost:8002\/">NLP &amp; &lt;texts&gt;<\/a>, port 8002/,
    );
    const odd = await pageOf(appOf(service), { Host: '"><script>:8001' });
    assert.doesNotMatch(odd, /<script>/);
  });

  test('see that there is no model, and that requests are refused', async () => {
    using service = await testService({ models: {} });
    const html = await pageOf(appOf(service));
    assert.match(html, /There is no model yet/);
    assert.match(html, /takes no requests now/);
  });
});
