/** @module The catalog of registered models: versions, labels, and the log of their changes. */

export { checkLabelName, checkModelName, checkVersionName, isName } from './names.ts';
export { type Author, changeOnce, type OnceKey } from './once.ts';
export { checkRevision, type Expected } from './revision.ts';
export type { CatalogModel, CatalogSnapshot, CatalogVersion } from './snapshot.ts';
export type { EffectiveRoute, RouteUse, TrafficRoutes } from './traffic.ts';
