/** @module `GET /`: what the process serves, as a page for browsers and as JSON for programs. */

import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ModelStatus, Runtime, VersionStatus } from '../../runtime/index.ts';
import type { AddRoute } from '../http/managed-routes.ts';
import { prefers } from '../http/vectors.ts';
import { PAGE_HEADERS } from './page-headers.ts';

/** A service of the process. */
export interface RunningService {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly port: number;
}

/** The pages that every service has. */
const LINKS = {
  playground: '/playground',
  docs: '/docs',
  openapi: '/openapi.json',
  ready: '/ready',
  metrics: '/metrics',
};

/** What the links of the page are called. */
const LABELS: Readonly<Record<string, string>> = {
  playground: 'Playground: try the models',
  docs: 'Documentation of the API',
  ready: 'State',
  metrics: 'Metrics',
};

/** A version as the page lists it. */
type Version = Pick<VersionStatus, 'version' | 'state' | 'reason'> & {
  readonly task: VersionStatus['task'] | undefined;
};

interface Overview {
  readonly service: string;
  readonly title: string;
  readonly description: string;
  readonly ready: boolean;
  readonly links: typeof LINKS;
  /** Services without a `url` cannot be reached under the name that the client uses, as far as the server knows. */
  readonly services: readonly (RunningService & { readonly url?: string | undefined })[];
  readonly models: readonly { readonly name: string; readonly versions: readonly Version[] }[];
}

/**
 * Adds the route. Links to pages of the service are paths, which also hold behind a proxy.
 *
 * @param running The services of the process, with the ports that are open.
 */
export function landingRoute(
  add: AddRoute,
  runtime: Runtime,
  { name, title, description }: Omit<RunningService, 'port'>,
  running: () => readonly RunningService[],
): void {
  add('/', (c) => {
    const services = running();
    const urlOf = addresses(c, services.find((each) => each.name === name)?.port);
    const overview: Overview = {
      ...{ service: name, title, description, ready: runtime.ready(), links: LINKS },
      services: services.map((each) => ({ ...each, url: urlOf(each.port) })),
      models: runtime.models().map(listed),
    };
    // The list of models changes, and its links depend on the name of the server.
    const headers = { Vary: 'Accept, Host', 'Cache-Control': 'no-store' };
    return prefers(c.req.raw.headers, 'text/html')
      ? c.html(page(overview), 200, { ...PAGE_HEADERS, ...headers })
      : c.json(overview, 200, headers);
  });
}

const listed = ({ name, versions }: ModelStatus) => ({
  name,
  versions: versions.map(({ version, state, task, reason }) => ({ version, state, task, reason })),
});

/**
 * The addresses of ports under the name by which the client calls this one. If it calls another port, a proxy is in between, and
 * nobody knows how it passes on the others.
 */
function addresses(c: Context, own: number | undefined): (port: number) => string | undefined {
  const called = `http://${c.req.header('host') ?? ''}`;
  if (own === undefined || !URL.canParse(called)) return () => undefined;
  const { hostname, port } = new URL(called);
  return Number(port || 80) === own ? (other) => `http://${hostname}:${other}/` : () => undefined;
}

const page = ({
  title,
  description,
  ready,
  links,
  services,
  models,
}: Overview) => html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title}</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/playground/style.css">
  </head>
  <body>
    <header>
      <h1>${title}</h1>
      <p>${description}</p>
    </header>
    <main>
      <p>${ready ? 'The service takes requests.' : 'The service takes no requests now.'}</p>
      <nav aria-label="Pages">
        <ul>${Object.entries(LABELS).map(
          ([name, label]) =>
            html`<li><a href="${links[name as keyof typeof LINKS]}">${label}</a></li>`,
        )}</ul>
      </nav>
      <h2>Models</h2>
      ${models.length === 0 ? html`<p>There is no model yet.</p>` : modelTable(models)}
      <h2>Services</h2>
      <ul>${services.map(
        ({ title: name, description: does, port, url }) =>
          html`<li>${url === undefined ? name : html`<a href="${url}">${name}</a>`}, port ${port}: ${does}</li>`,
      )}</ul>
    </main>
  </body>
</html>
`;

const modelTable = (
  models: Overview['models'],
) => html`<div class="scroll" tabindex="0" role="region" aria-label="Models">
        <table>
          <thead><tr><th scope="col">Model</th><th scope="col">Version</th><th scope="col">Task</th><th scope="col">State</th></tr></thead>
          <tbody>${models.flatMap(({ name, versions }) =>
            versions.map(
              ({ version, task, state, reason }) =>
                html`<tr><th scope="row">${name}</th><td>${version}</td><td>${task ?? 'only /v2'}</td><td>${state}${reason === '' ? '' : html`<br><small>${reason}</small>`}</td></tr>`,
            ),
          )}</tbody>
        </table>
      </div>`;
