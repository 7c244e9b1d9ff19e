/** @module The messages with which one thread uses the store of another. */

import type { WireFailure } from './failure.ts';
import type { Row, SqlValue } from './store.ts';

/** What the client asks for. The client chooses the ids, which also name the transactions and listeners that it begins. */
export type StoreRequest = { readonly id: number } & (
  | {
      readonly kind: 'query';
      readonly text: string;
      readonly values: readonly SqlValue[];
      readonly transaction: number | undefined;
    }
  | { readonly kind: 'begin' }
  | { readonly kind: 'end'; readonly transaction: number; readonly commit: boolean }
  | { readonly kind: 'listen'; readonly channel: string }
  | { readonly kind: 'unlisten'; readonly listener: number }
  | { readonly kind: 'lock'; readonly name: string }
  | { readonly kind: 'unlock'; readonly lock: number }
  /** Is answered at once, whatever the database does. */
  | { readonly kind: 'ping' }
  | { readonly kind: 'close' }
);

/** Rows of a query, and whether a lock was free. */
export type StoreAnswer = readonly Row[] | boolean | undefined;

export type StoreReply =
  | { readonly id: number; readonly answer: StoreAnswer }
  | { readonly id: number; readonly failure: WireFailure }
  | { readonly listener: number; readonly payload: string }
  | { readonly lost: number };
