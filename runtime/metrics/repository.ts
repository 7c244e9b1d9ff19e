/** @module The metrics of the repository: which versions accept requests, and how many entries are not served. */

import type { ModelStatus } from '../served-model.ts';
import type { Metrics } from './index.ts';

/** The state that is read at each scrape. */
interface RepositoryState {
  status(): readonly ModelStatus[];
  skipped(): readonly unknown[];
}

export function addRepositoryMetrics(metrics: Metrics, repository: RepositoryState): void {
  metrics.onScrape(
    {
      name: 'millrace_model_ready',
      type: 'gauge',
      help: 'Whether a version takes requests; 0 also where it could not be loaded',
    },
    () =>
      repository.status().flatMap(({ name, versions }) =>
        versions.map(({ version, state }) => ({
          labels: { model: name, version },
          value: state === 'ready' ? 1 : 0,
        })),
      ),
  );
  metrics.onScrape(
    {
      name: 'millrace_repository_skipped',
      type: 'gauge',
      help: 'Entries of the repository that are not served; /ready names each with its reason',
    },
    () => [{ labels: {}, value: repository.skipped().length }],
  );
}
