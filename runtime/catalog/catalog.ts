/** @module The catalog as other parts use it. Each method is one function of the modules beside it, which describe it. */

import type { Registration } from './claims.ts';
import { rejectAbandoned } from './claims.ts';
import type { CatalogContext } from './context.ts';
import { type CatalogEvent, listEvents } from './events.ts';
import { collectGarbage } from './garbage.ts';
import {
  deleteLabel,
  findLabel,
  type LabelRecord,
  listLabels,
  promote,
  rollback,
  setLabel,
} from './labels.ts';
import {
  findModel,
  listModels,
  type ModelRecord,
  setVersionPolicy,
  type VersionPolicy,
} from './models.ts';
import { type Author, forgetOldKeys } from './once.ts';
import { readSnapshot } from './read-snapshot.ts';
import { type Registered, Registrar, type RegistrarParts } from './registrar.ts';
import type { Expected } from './revision.ts';
import type { CatalogSnapshot } from './snapshot.ts';
import { archiveVersion, findVersion, listVersions, type VersionRecord } from './versions.ts';

export interface CatalogParts extends CatalogContext, RegistrarParts {}

/** How often the first thread of a process looks for what others have left behind. */
const MAINTENANCE_MS = 10_000;

export class Catalog {
  readonly #parts: CatalogParts;
  readonly #registrar: Registrar;
  #maintenance: ReturnType<typeof setInterval> | undefined;
  #maintaining: Promise<void> = Promise.resolve();
  /** A maintenance that waits for the end of the one before. */
  #next: Promise<void> | undefined;

  constructor(parts: CatalogParts) {
    this.#parts = parts;
    this.#registrar = new Registrar(parts, parts);
  }

  snapshot(): Promise<CatalogSnapshot> {
    return readSnapshot(this.#parts);
  }

  models(limit: number, after?: string): Promise<readonly ModelRecord[]> {
    return listModels(this.#parts, limit, after);
  }

  model(name: string): Promise<ModelRecord> {
    return findModel(this.#parts, this.#parts.store, name);
  }

  setVersionPolicy(
    model: string,
    policy: VersionPolicy,
    author: Author,
    expected: Expected,
  ): Promise<ModelRecord> {
    return setVersionPolicy(this.#parts, model, policy, author, expected);
  }

  versions(model: string, limit: number, after?: string): Promise<readonly VersionRecord[]> {
    return listVersions(this.#parts, model, limit, after);
  }

  version(model: string, version: string): Promise<VersionRecord> {
    return findVersion(this.#parts, this.#parts.store, model, version);
  }

  register(folder: string, registration: Registration, who: string): Promise<Registered> {
    return this.#registrar.register(folder, registration, who);
  }

  /** Archives a version; with `purge`, its artifact is freed before this resolves, if that is possible at the moment. */
  async archive(
    model: string,
    version: string,
    purge: boolean,
    author: Author,
    expected: Expected,
  ): Promise<VersionRecord> {
    const record = await archiveVersion(this.#parts, model, version, purge, author, expected);
    if (purge) await this.maintain();
    return record;
  }

  labels(model: string, limit: number, after?: string): Promise<readonly LabelRecord[]> {
    return listLabels(this.#parts, model, limit, after);
  }

  label(model: string, label: string): Promise<LabelRecord> {
    return findLabel(this.#parts, model, label);
  }

  setLabel(
    model: string,
    label: string,
    version: string,
    author: Author,
    expected: Expected,
  ): Promise<LabelRecord> {
    return setLabel(this.#parts, model, label, version, author, expected);
  }

  deleteLabel(
    model: string,
    label: string,
    author: Author,
    expected: Expected,
  ): Promise<LabelRecord> {
    return deleteLabel(this.#parts, model, label, author, expected);
  }

  promote(
    model: string,
    version: string,
    author: Author,
    expected: Expected,
  ): Promise<ModelRecord> {
    return promote(this.#parts, model, version, author, expected);
  }

  rollback(model: string, author: Author, expected: Expected): Promise<ModelRecord> {
    return rollback(this.#parts, model, author, expected);
  }

  events(
    model: string | undefined,
    limit: number,
    before?: number,
  ): Promise<readonly CatalogEvent[]> {
    return listEvents(this.#parts.store, model, limit, before);
  }

  /** Calls `maintain` from now on. Only the first thread of a process does. */
  startMaintenance(): void {
    const { artifacts, log } = this.#parts;
    this.#maintenance = setInterval(() => void this.maintain(), MAINTENANCE_MS);
    void this.maintain();
    artifacts.sweep().catch((err) => log.warn({ err }, 'artifacts could not be swept'));
  }

  /** Ends what dead servers have left, and frees what nobody needs. Never rejects: what fails is tried again later. */
  maintain(): Promise<void> {
    // One that has not begun serves everybody who asks: a store that is slow must not collect a queue of them.
    this.#next ??= this.#maintaining.then(() => {
      this.#next = undefined;
      return this.#maintain();
    });
    this.#maintaining = this.#next;
    return this.#next;
  }

  async #maintain(): Promise<void> {
    const { store, artifacts, log } = this.#parts;
    try {
      await rejectAbandoned(this.#parts);
      await collectGarbage(store, artifacts);
      await forgetOldKeys(store);
    } catch (err) {
      log.warn({ err }, 'maintenance of the catalog failed');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#maintenance);
    await this.#maintaining;
  }
}
