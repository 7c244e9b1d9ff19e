/** @module The database of the platform, and its schema. */

export { inspectStore, type StoreState } from './inspect-store.ts';
export { joinStore, openStore, type StoreTicket, shareStore } from './open-store.ts';
export {
  type NamedLock,
  type Row,
  type Sql,
  type SqlValue,
  type Store,
  sqlState,
} from './store.ts';
