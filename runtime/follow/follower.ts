/**
 * Follows the catalog: whenever it changes, in whatever process, this one serves the same within a second (decision record
 * 0033).
 *
 * Each change is read from the database as a whole, completed with local copies of the artifacts, and published on the bus,
 * which makes it in all HTTP threads. A version whose copy is still being made is left out until it is there, so that a long
 * download delays nothing else.
 *
 * @module
 */

import type { Bus } from '../bus.ts';
import type { CatalogModel, CatalogSnapshot, CatalogVersion } from '../catalog/snapshot.ts';
import type { Clock } from '../clock.ts';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { SharedWork } from '../shared-work.ts';
import { Slots } from '../slots.ts';

/** What is followed. */
export interface Followed {
  /** What the catalog has now, with the routes that are in effect. @throws {ServeError} */
  snapshot(): Promise<CatalogSnapshot>;
  /** Calls the listener after each change. @returns a function that ends the calls */
  listen(listener: () => void): Promise<() => Promise<void>>;
}

/** Makes the files of a version available. */
export interface Files {
  /**
   * The folder with the verified files of a version.
   *
   * @throws {ServeError} `REJECTED` if the version must not be served; any other error may be temporary.
   */
  get(model: string, version: CatalogVersion, signal: AbortSignal): Promise<string>;
  /** Removes the files of all other artifacts. */
  keep(digests: ReadonlySet<string>): Promise<void>;
}

export interface FollowerParts {
  readonly followed: Followed;
  readonly files: Files;
  readonly bus: Bus;
  readonly log: Log;
  readonly clock: Clock;
  /** Whether no notification gets lost, so that it suffices to look again where something failed. */
  readonly isNotified: boolean;
  /** Milliseconds between two looks at the catalog, besides those that notifications cause. Default: 1000 */
  readonly pollMs?: number;
}

/** Longest that `follow` waits. */
const FOLLOW_MS = 5000;
const POLL_MS = 1000;
/** Polls may take this share of the time. */
const POLL_SHARE = 0.1;
/** Times after which files that could not be had are tried again, milliseconds. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;
/** Artifacts that are downloaded or verified at the same time. */
const MAX_AT_ONCE = 4;

/** The files of one version: there, being made, or not to be had. */
interface Progress {
  readonly digest: string;
  path: string;
  failure: string | undefined;
  making: Promise<void> | undefined;
  /** When they are tried again; `Infinity` if that would be in vain. */
  retryAt: number;
  retryMs: number;
}

export class Follower {
  readonly #parts: FollowerParts;
  readonly #progress = new Map<string, Progress>();
  readonly #closing = new AbortController();
  readonly #sync = new SharedWork(() => this.#apply());
  readonly #slots = new Slots(MAX_AT_ONCE);
  /** What all threads serve, as JSON. */
  #applied = '';
  /** Why the catalog cannot be followed at the moment; '' if it can. */
  #problem = '';
  #stopListening: (() => Promise<void>) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** No poll is made before this time. */
  #nextPoll = 0;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  /**
   * What the catalog has at the start, with the files of all versions. The caller applies it before it serves, and then calls
   * `start`.
   *
   * @throws {ServeError} if the catalog cannot be read
   */
  async first(): Promise<CatalogSnapshot> {
    const found = await this.#parts.followed.snapshot();
    this.#complete(found);
    await Promise.all([...this.#progress.values()].map(({ making }) => making));
    const snapshot = this.#complete(found);
    this.#applied = JSON.stringify(snapshot);
    return snapshot;
  }

  /** Follows from now on. */
  async start(): Promise<void> {
    const { followed, pollMs = POLL_MS } = this.#parts;
    this.#stopListening = await followed.listen(() => void this.#look());
    this.#timer = setInterval(() => this.#poll(), pollMs);
    this.#timer.unref?.();
    void this.#look();
  }

  /**
   * Resolves when what the catalog has now is served in all threads, as far as it can be; at the latest after five seconds.
   */
  async follow(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FOLLOW_MS);
    });
    await Promise.race([late, this.#settle()]);
    clearTimeout(timer);
  }

  /** A sentence if the catalog cannot be followed at the moment. */
  notes(): readonly string[] {
    return this.#problem === ''
      ? []
      : [`Changes of models and routes are not followed at the moment: ${this.#problem}`];
  }

  /** Ends downloads, and resolves when no change is in progress. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    await this.#stopListening?.().catch(() => {});
    await this.#sync.run().catch(() => {});
  }

  /** Applies the catalog, and again when the files are there that were missing. */
  async #settle(): Promise<void> {
    const isComplete = await this.#look();
    if (isComplete) return;
    // What was made while the rest was applied is not in progress any more, and not applied yet.
    await Promise.all([...this.#progress.values()].map(({ making }) => making));
    await this.#look();
  }

  #poll(): void {
    const now = this.#parts.clock.now();
    const isDue = [...this.#progress.values()].some(({ retryAt }) => retryAt <= now);
    const isWanted = !this.#parts.isNotified || this.#problem !== '' || isDue;
    if (isWanted && now >= this.#nextPoll) void this.#look();
  }

  /**
   * Applies what has changed. Never rejects: what failed is tried again at a later poll.
   *
   * @returns whether no version was left out
   */
  async #look(): Promise<boolean> {
    this.#nextPoll = Number.POSITIVE_INFINITY;
    const start = this.#parts.clock.now();
    let isComplete = true;
    const problem = await this.#sync.run().then((result) => {
      isComplete = result;
      return '';
    }, reasonOf);
    if (problem !== '' && problem !== this.#problem) {
      this.#parts.log.error({ reason: problem }, 'the catalog cannot be followed');
    } else if (problem === '' && this.#problem !== '') {
      this.#parts.log.info('the catalog is followed again');
    }
    this.#problem = problem;
    const end = this.#parts.clock.now();
    this.#nextPoll = end + (end - start) / POLL_SHARE;
    return isComplete;
  }

  /** @returns whether no version was left out */
  async #apply(): Promise<boolean> {
    if (this.#closing.signal.aborted) return true;
    const { followed, bus, files, log } = this.#parts;
    const found = await followed.snapshot();
    const snapshot = this.#complete(found);
    const isComplete = versionsIn(snapshot) === versionsIn(found);
    const json = JSON.stringify(snapshot);
    if (json === this.#applied) return isComplete;
    await bus.publish({ kind: 'catalog', snapshot });
    this.#applied = json;
    // The files of versions that are left out are still being made.
    const used = new Set([...this.#progress.values()].map(({ digest }) => digest));
    await files.keep(used).catch((err: unknown) => log.warn({ err }, 'old files are not removed'));
    return isComplete;
  }

  /** The snapshot with the local paths of its versions, without those whose files are still being made. */
  #complete({ models }: CatalogSnapshot): CatalogSnapshot {
    const wanted = new Set<string>();
    const complete = (model: CatalogModel): CatalogModel => ({
      ...model,
      versions: model.versions.flatMap((version) => {
        const key = keyOf(model.name, version);
        wanted.add(key);
        const { path, failure } = this.#advance(key, model.name, version);
        if (failure !== undefined) return { ...version, failure };
        return path === '' ? [] : { ...version, path };
      }),
    });
    const snapshot = { models: models.map(complete) };
    for (const key of this.#progress.keys()) if (!wanted.has(key)) this.#progress.delete(key);
    return snapshot;
  }

  #advance(key: string, model: string, version: CatalogVersion): Progress {
    const known = this.#progress.get(key);
    if (known !== undefined && known.retryAt > this.#parts.clock.now()) return known;
    const { digest } = version;
    const progress: Progress = known ?? {
      ...{ digest, path: '', failure: undefined, making: undefined },
      ...{ retryAt: Number.POSITIVE_INFINITY, retryMs: FIRST_RETRY_MS },
    };
    this.#progress.set(key, progress);
    progress.retryAt = Number.POSITIVE_INFINITY;
    progress.making = this.#slots
      .use(() => this.#make(progress, model, version))
      .then(() => {
        progress.making = undefined;
        if (this.#timer !== undefined) void this.#look();
      });
    return progress;
  }

  /** Never rejects. */
  async #make(progress: Progress, model: string, version: CatalogVersion): Promise<void> {
    const { files, log } = this.#parts;
    const { signal } = this.#closing;
    try {
      signal.throwIfAborted();
      progress.path = await files.get(model, version, signal);
      progress.failure = undefined;
    } catch (error) {
      if (signal.aborted) return;
      progress.failure = reasonOf(error);
      const about = { model, version: version.version, reason: progress.failure };
      log.warn(about, 'the files of a version cannot be had');
      if (error instanceof ServeError && error.code === 'REJECTED') return;
      progress.retryAt = this.#parts.clock.now() + progress.retryMs;
      progress.retryMs = Math.min(progress.retryMs * 2, LAST_RETRY_MS);
    }
  }
}

const versionsIn = ({ models }: CatalogSnapshot): number =>
  models.reduce((sum, { versions }) => sum + versions.length, 0);

const keyOf = (model: string, { version, digest, signature }: CatalogVersion): string =>
  JSON.stringify([model, version, digest, signature]);

function reasonOf(error: unknown): string {
  if (error instanceof ServeError) return error.code === 'DRAINING' ? '' : error.message;
  return 'an unexpected error.';
}
