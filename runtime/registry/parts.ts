/**
 * What one model consists of: its versions in the repository, and those that are registered in the catalog. Together they
 * are the model that is served.
 *
 * @module
 */

import type { CatalogModel } from '../catalog/snapshot.ts';
import { ServeError } from '../errors.ts';
import { ModelVersion } from '../model.ts';
import { type ModelFolder, sortVersions } from '../repository/index.ts';
import type { Route } from '../routing/route-table.ts';
import { ServedModel } from '../served-model.ts';

/** Versions by name: each is loaded or is the reason why it is not. */
export type Versions = ReadonlyMap<string, ModelVersion | ServeError>;

export interface RepositoryPart {
  readonly folder: ModelFolder;
  /** The fingerprint of the files that the versions were loaded from. */
  readonly origin: string;
  readonly versions: Versions;
}

/** A registered version. */
export interface CatalogEntry {
  /** What decides how it is loaded: its artifact and configuration. */
  readonly key: string;
  /** Why its files cannot be used; then they were not read. */
  readonly failure: string | undefined;
  /** What was read from its files; undefined if that failed. */
  readonly folder: ModelFolder | undefined;
  readonly loaded: ModelVersion | ServeError;
}

export interface CatalogPart {
  readonly model: CatalogModel;
  readonly entries: ReadonlyMap<string, CatalogEntry>;
}

export interface Parts {
  readonly repository?: RepositoryPart | undefined;
  readonly catalog?: CatalogPart | undefined;
}

/** A model as it is served. */
export interface Served {
  readonly parts: Parts;
  readonly model: ServedModel;
  readonly route: Route;
  /** Whether every version that the route sends requests to is loaded, or there is none at all. */
  readonly servable: boolean;
  /** Sentences about what is served differently from what was asked for. */
  readonly notes: readonly string[];
}

export function loadedOf(versions: Versions | undefined): ModelVersion[] {
  return [...(versions?.values() ?? [])].filter((each) => each instanceof ModelVersion);
}

/** The reason of the first version that is not loaded. */
export function failureOf(versions: Versions): ServeError | undefined {
  return [...versions.values()].find((each) => each instanceof ServeError);
}

/** The content of each version: the digest of the loaded model, or the reason why it is not loaded. */
export function contentsOf(versions: Versions): readonly (readonly [string, string])[] {
  return [...versions].map(([version, loaded]) => [
    version,
    loaded instanceof ServeError ? loaded.message : loaded.digest,
  ]);
}

export function catalogVersions(part: CatalogPart | undefined): Versions {
  return new Map([...(part?.entries ?? [])].map(([version, { loaded }]) => [version, loaded]));
}

/**
 * The model that its parts make together. If its route sends requests to a version that is not loaded, but the route until
 * now can still be served, that one stays, with the registered versions that it needs.
 *
 * @param old What is served until now.
 */
export function combine(name: string, parts: Parts, old: Served | undefined): Served {
  const { repository, catalog } = parts;
  const registered = catalogVersions(catalog);
  const versions: Versions = new Map([...registered, ...(repository?.versions ?? [])]);
  const model = createModel(name, parts, versions);
  const route = routeOf(parts);
  const notes = [...registered.keys()]
    .filter((version) => repository?.versions.has(version) === true)
    .map(
      (version) =>
        `Version '${version}' of model '${name}' is registered and also in the repository, which takes precedence.`,
    );
  const missing = missingVersion(route, versions);
  const kept = missing === undefined ? undefined : stillServable(old, versions);
  if (kept === undefined) {
    const servable = missing === undefined || versions.size === 0;
    return { parts, model, route, servable, notes };
  }
  const reason = versions.get(missing!);
  const why =
    reason instanceof ServeError ? `could not be loaded: ${reason.message}` : 'is not served here.';
  return {
    parts,
    model: createModel(name, parts, kept),
    route: old!.route,
    servable: true,
    notes: [
      ...notes,
      `The latest route of model '${name}' is not in effect: it sends requests to version '${missing}', which ${why}`,
    ],
  };
}

function createModel(name: string, { repository, catalog }: Parts, versions: Versions) {
  const folders = [...(catalog?.entries.values() ?? [])].flatMap(({ folder }) => folder ?? []);
  const folder = repository?.folder ?? folders.at(-1);
  const config = folder?.config;
  const {
    default: isDefault = false,
    missing,
    task: declared,
  } = config instanceof ServeError ? {} : (config ?? {});
  const task = declared ?? folder?.versions.at(-1)?.media?.task;
  const sorted = sortVersions([...versions], ([version]) => version);
  const facts = { name, isDefault, nullIsNaN: missing === 'nan', task };
  return new ServedModel(facts, new Map(sorted));
}

/**
 * The route of the catalog. Without one the label `stable` gets all requests, and without that it is the route that
 * `model.json` in the repository declares.
 */
function routeOf({ repository, catalog }: Parts): Route {
  const config = repository?.folder.config;
  const declared = config instanceof ServeError || config === undefined ? {} : config;
  const { traffic, default_version, version_labels } = declared;
  const { labels = {}, route } = catalog?.model ?? {};
  const ownDefault = labels.stable ?? default_version;
  const own = labels.stable === undefined ? traffic : undefined;
  const weights = own ?? (ownDefault === undefined ? {} : { [ownDefault]: 1 });
  const given = Object.keys(route?.weights ?? {}).length > 0 ? route!.weights : weights;
  return { ...route, weights: given, labels: { ...version_labels, ...labels } };
}

/** A version that gets requests and is not loaded; undefined also if no version is wanted. */
function missingVersion({ weights }: Route, versions: Versions): string | undefined {
  const names = Object.keys(weights).filter((version) => weights[version]! > 0);
  if (names.length === 0)
    return loadedOf(versions).length > 0 ? undefined : [...versions.keys()].at(-1);
  return names.find((version) => !(versions.get(version) instanceof ModelVersion));
}

/**
 * The versions together with those registered ones of before that the old route needs; undefined if it cannot be served any
 * more. Versions of the repository are not kept, because they have gone by the wish of its owner.
 */
function stillServable(old: Served | undefined, versions: Versions): Versions | undefined {
  if (old === undefined) return undefined;
  const { weights } = old.route;
  const weighted = Object.keys(weights).filter((version) => weights[version]! > 0);
  const needed = weighted.length > 0 ? weighted : [old.model.newest()];
  const fromRepository = old.parts.repository?.versions;
  const kept = new Map(versions);
  for (const version of needed) {
    if (kept.get(version) instanceof ModelVersion) continue;
    const loaded = fromRepository?.has(version) ? undefined : old.model.loadedVersion(version);
    if (loaded === undefined) return undefined;
    kept.set(version, loaded);
  }
  return kept;
}
