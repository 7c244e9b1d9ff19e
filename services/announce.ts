/** @module Reports that the services are ready: as log lines, and on a terminal also as one block. */

import {
  type Config,
  currentHost,
  type Log,
  onTerminal,
  type VersionStatus,
} from '../runtime/index.ts';
import { isLoopback } from './http/same-site.ts';
import type { Service } from './service.ts';

/** Logs every version and the ports, and prints the block if standard output is a terminal. */
export function announce(service: Service, log: Log, config: Config): void {
  const { models, ports } = service;
  for (const { name, versions } of models) {
    for (const version of versions) logVersion(log, name, version);
  }
  const isServed = models.some(({ versions }) => versions.some(({ state }) => state === 'ready'));
  if (!isServed && config.modelControlMode !== 'explicit') {
    log.warn({ folder: config.modelPath }, 'no model is served');
  }
  if (!isLoopback(config.host)) {
    const reason = 'Requests need no credentials; put a proxy that authenticates in front';
    log.warn({ host: config.host, reason }, 'listening beyond this machine');
  }
  // `port` is that of the first service, for readers of the log who run only one.
  const port = ports[config.services[0]!];
  log.info({ port, ports, runtime: currentHost().name, workers: config.maxWorkers }, 'ready');
  if (onTerminal() && log.isLevelEnabled('info')) console.log(readyBlock(service, config));
}

function logVersion(log: Log, model: string, { state, reason, ...about }: VersionStatus): void {
  if (state !== 'ready') log.error({ model, ...about, reason }, 'model not served');
  else if (about.fallback) log.warn({ model, ...about, reason }, 'model loaded, but not on a GPU');
  else log.info({ model, ...about, ...(reason && { reason }) }, 'model loaded');
}

/** The text with the served models, their addresses, and a first request to each service. */
export function readyBlock({ models, ports, examples }: Service, { host }: Config): string {
  const reachable = ['0.0.0.0', '::'].includes(host) ? 'localhost' : host;
  const authority = (port: number) =>
    reachable.includes(':') ? `[${reachable}]:${port}` : `${reachable}:${port}`;
  const served = models.flatMap(({ name, versions }) => {
    const ready = versions.filter(({ state }) => state === 'ready').map(({ version }) => version);
    return ready.length === 0 ? [] : [`${name} (${ready.join(', ')})`];
  });
  const width = Math.max(...Object.keys(ports).map((name) => name.length));
  const lines = Object.entries(ports).map(([name, port]) =>
    name === 'grpc'
      ? `  ${name.padEnd(width)}  ${authority(port)}`
      : `  ${name.padEnd(width)}  http://${authority(port)}/docs  /playground  /metrics  /ready`,
  );
  const requests = examples.flatMap(({ service, path, ...sent }) => [
    '',
    `  curl -s http://${authority(ports[service]!)}${path} \\`,
    'file' in sent
      ? `    -F 'image=@${sent.file}'`
      : `    -H 'Content-Type: application/json' -d '${sent.body}'`,
  ]);
  const list = served.length === 0 ? 'no model yet' : served.join(', ');
  return ['', `Serving ${list}`, '', ...lines, ...requests, ''].join('\n');
}
