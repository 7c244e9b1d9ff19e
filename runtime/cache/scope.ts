/** @module Which model versions are cached, for how long and where. */

import { hash } from 'node:crypto';
import type { ModelVersion } from '../model.ts';
import { identity } from './key.ts';
import { MemoryTier } from './memory.ts';

/** How the results of one model version are cached. */
export interface CacheScope {
  /** Begins the keys of the version. */
  readonly identity: Uint8Array;
  readonly ttlMs: number;
  readonly memory: MemoryTier;
}

/** The scopes of the versions that are loaded in one HTTP thread. */
export class CacheScopes {
  readonly #ttlSecs: number;
  readonly #shared: MemoryTier;
  /** The memory of the versions of a `model.json` that has its own limit. It is freed with the last of them. */
  readonly #own = new WeakMap<object, MemoryTier>();
  readonly #scopes = new WeakMap<ModelVersion, CacheScope | 'off'>();
  #inUse = false;

  /**
   * @param ttlSecs Seconds for versions whose `model.json` does not say; 0 means that these are not cached.
   * @param maxBytes Bytes for the versions whose `model.json` sets no limit, together.
   */
  constructor(ttlSecs: number, maxBytes: number) {
    this.#ttlSecs = ttlSecs;
    this.#shared = new MemoryTier(maxBytes);
  }

  /** Whether a version that is cached has had a request. */
  get inUse(): boolean {
    return this.#inUse;
  }

  /** The scope of a version; undefined if it is not cached. */
  of(version: ModelVersion): CacheScope | undefined {
    let scope = this.#scopes.get(version);
    if (scope === undefined) {
      scope = this.#create(version) ?? 'off';
      this.#scopes.set(version, scope);
    }
    return scope === 'off' ? undefined : scope;
  }

  #create(version: ModelVersion): CacheScope | undefined {
    const own = version.config.cache;
    const ttlMs = (own?.ttl_seconds ?? this.#ttlSecs) * 1000;
    if (ttlMs === 0) return undefined;
    this.#inUse = true;
    const { model, digest } = version;
    const parts = [digest, model, version.version, preprocessingOf(version)];
    return { identity: identity(parts), ttlMs, memory: this.#memory(own) };
  }

  #memory(own: ModelVersion['config']['cache']): MemoryTier {
    if (own?.max_bytes === undefined) return this.#shared;
    let memory = this.#own.get(own);
    if (memory === undefined) {
      memory = new MemoryTier(own.max_bytes);
      this.#own.set(own, memory);
    }
    return memory;
  }
}

/**
 * The digest of everything but the model's file that its outputs depend on: how inputs are made from requests, and the device, whose
 * arithmetic may differ. Parts of the configuration that cannot change an output are left out.
 */
function preprocessingOf({ config, settings, device }: ModelVersion): string {
  const { default: _, default_version, version_labels, traffic, cache, weight, ...rest } = config;
  const { providerOptions, inputs, outputs } = settings;
  const text = JSON.stringify([rest, providerOptions, inputs, outputs, device.device]);
  return hash('sha256', text, 'hex');
}
