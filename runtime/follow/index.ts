/** @module Follows the catalog: local copies of its artifacts, and its changes in every HTTP thread. */

export { type Files, type Followed, Follower } from './follower.ts';
export { LocalCopies } from './local-copies.ts';
export { followRoutingFile } from './routing-file-follower.ts';
