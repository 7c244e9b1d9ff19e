/** @module Registers versions: hash → record → try → store the artifact → ready, or rejected with the reason. */

import { setTimeout as sleep } from 'node:timers/promises';
import { shorten } from '../../native/index.ts';
import { type ArtifactStore, hashArtifact, type LocalArtifact } from '../artifacts/index.ts';
import { ServeError } from '../errors.ts';
import type { Log } from '../log.ts';
import { isConfig } from '../repository/index.ts';
import {
  type Claim,
  claimVersion,
  endClaim,
  type Registration,
  renewClaim,
  standingOf,
} from './claims.ts';
import { type CatalogContext, nextNumber } from './context.ts';
import { discardArtifact } from './garbage.ts';
import type { Probe, ProbeResult } from './probe.ts';
import type { CheckSignature, SignatureVerdict } from './signature.ts';
import { readVersion, type VersionRecord } from './versions.ts';

export interface Registered {
  readonly version: VersionRecord;
  /** Whether this call has registered it; otherwise it was registered before with the same content. */
  readonly isNew: boolean;
}

export interface RegistrarParts {
  readonly artifacts: ArtifactStore;
  readonly probe: Probe;
  readonly checkSignature: CheckSignature;
  readonly log: Log;
}

const RENEW_MS = 15_000;
const POLL_MS = 100;
const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 6400;
/** Maximum characters of the reason of a rejection. */
const MAX_REASON = 1000;

export class Registrar {
  readonly #context: CatalogContext;
  readonly #parts: RegistrarParts;
  /** Versions are tried one after the other, because each trial may take much memory. */
  #lastTrial: Promise<unknown> = Promise.resolve();

  constructor(context: CatalogContext, parts: RegistrarParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /**
   * Registers the files of a folder, and resolves when the version is ready. Of two calls with the same content at once,
   * one registers it and the other waits for the outcome.
   *
   * A version without a configuration of its own has that of the model in `MODEL_PATH`, if there is one.
   *
   * @param folder Nobody changes it meanwhile; the caller removes it.
   * @throws {ServeError} `REJECTED` with the reason; `CONFLICT` if the version exists with other content, or its name is
   * taken for good; `STORE_UNAVAILABLE`
   */
  async register(folder: string, registration: Registration, who: string): Promise<Registered> {
    const { model, signature } = registration;
    const artifact = await hashArtifact(folder);
    const hasOwn = artifact.files.some(({ path }) => isConfig(path));
    const shared = hasOwn ? undefined : this.#context.repository.config(model);
    const config = registration.config ?? shared;
    const verdict = await this.#parts.checkSignature(artifact, signature, config);
    const content = { ...artifact, signatureStatus: verdict.status };
    for (;;) {
      const number = await insist(() => nextNumber(this.#context.store));
      const claim = { ...registration, config, who, number };
      const taken = await insist(() => claimVersion(this.#context, claim, content));
      if ('number' in taken) {
        return { version: await this.#work(taken, artifact, verdict), isNew: true };
      }
      if (taken.state === 'ready') return { version: taken, isNew: false };
      const settled = await this.#settled(registration);
      if (settled?.state === 'rejected') throw rejected(registration, settled.reason ?? '');
    }
  }

  /** Tries and stores a version. @throws {ServeError} `REJECTED`, `STORE_UNAVAILABLE`, `INTERNAL` */
  async #work(
    claim: Claim,
    artifact: LocalArtifact,
    { refusal, warning }: SignatureVerdict,
  ): Promise<VersionRecord> {
    const { store } = this.#context;
    // A renewal that fails is made up for by the next one.
    const renewing = setInterval(() => void renewClaim(store, claim).catch(() => {}), RENEW_MS);
    try {
      if (refusal !== undefined) throw new ServeError('REJECTED', refusal);
      await insist(() => renewClaim(store, claim, 'validating'));
      const found = await this.#try(claim, artifact);
      await this.#parts.artifacts.put(artifact);
      return await insist(() => endClaim(store, claim, { state: 'ready', found, warning }));
    } catch (error) {
      const isRefused = error instanceof ServeError && error.code === 'REJECTED';
      // It may repeat what the files say, at any length.
      const reason = isRefused
        ? shorten(error.message, MAX_REASON)
        : 'The server failed to try or store it.';
      await this.#reject(claim, artifact, reason);
      throw isRefused ? rejected(claim, reason, error) : error;
    } finally {
      clearInterval(renewing);
    }
  }

  #try({ model, version, config }: Claim, { source: folder }: LocalArtifact): Promise<ProbeResult> {
    const trial = this.#lastTrial.then(() =>
      this.#parts.probe({ model, version, folder, config: config ?? null }),
    );
    this.#lastTrial = trial.catch(() => {});
    return trial;
  }

  /** Never rejects: if the outcome cannot be recorded, the lease runs out, which has the same effect. */
  async #reject(claim: Claim, { digest }: LocalArtifact, reason: string): Promise<void> {
    const { store } = this.#context;
    try {
      await insist(() => endClaim(store, claim, { state: 'rejected', reason }));
    } catch (err) {
      const { model, version } = claim;
      this.#parts.log.warn({ model, version, err }, 'a rejection could not be recorded');
    }
    // Somebody else may have rejected the version, and looked for its files before they were stored.
    await discardArtifact(store, digest).catch(() => {});
  }

  /** Waits until the registration of the same version by somebody else has ended. */
  async #settled({ model, version }: Registration): Promise<VersionRecord | undefined> {
    for (;;) {
      const found = await readVersion(this.#context.store, model, version);
      const isOpen = found?.state === 'registered' || found?.state === 'validating';
      if (!isOpen || (await standingOf(this.#context.store, found)).isFree) return found;
      await sleep(POLL_MS);
    }
  }
}

/**
 * Repeats a step that does no harm when it is repeated, while the database cannot be reached: a client should not have to
 * send 16 GiB again because a connection was cut. Gives up after 13 seconds.
 */
async function insist<Result>(step: () => Promise<Result>): Promise<Result> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs *= 2) {
    try {
      return await step();
    } catch (error) {
      const passes = error instanceof ServeError && error.code === 'STORE_UNAVAILABLE';
      if (!passes || pauseMs > LAST_PAUSE_MS) throw error;
      await sleep(pauseMs);
    }
  }
}

function rejected({ model, version }: Registration, reason: string, cause?: unknown): ServeError {
  const message = `Version '${version}' of model '${model}' was rejected: ${reason}`;
  return new ServeError('REJECTED', message, { cause });
}
