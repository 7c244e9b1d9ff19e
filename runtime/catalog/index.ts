/** @module The catalog of registered models: versions, labels, and the log of their changes. */

export { Catalog, type CatalogParts } from './catalog.ts';
export { checkRegistration } from './check-registration.ts';
export type { Registration } from './claims.ts';
export {
  CATALOG_CHANNEL,
  type CatalogContext,
  nextNumber,
  type RepositoryModels,
} from './context.ts';
export { type CatalogEvent, recordEvent } from './events.ts';
export { type LabelRecord, moveStable } from './labels.ts';
export { findModel, type ModelRecord, touchModel, type VersionPolicy } from './models.ts';
export { type Author, changeOnce, type OnceKey } from './once.ts';
export { type Probe, type ProbeRequest, type ProbeResult, probeArtifact } from './probe.ts';
export type { Registered } from './registrar.ts';
export { checkRevision, type Expected } from './revision.ts';
export { type CheckSignature, type SignatureVerdict, signatureChecker } from './signature.ts';
export type { CatalogModel, CatalogSnapshot, CatalogVersion } from './snapshot.ts';
export type { EffectiveRoute, RouteUse, TrafficRoutes } from './traffic.ts';
export { checkReady, type VersionRecord } from './versions.ts';
export { Workspace } from './workspace.ts';
