/** @module The tenant of a caller: those who share cached results. */

import type { Principal } from '../access.ts';

/**
 * The claim `tenant`, else the id of the key, else the subject, else nobody in particular. The kind is a part of it, so
 * that a subject cannot have the name of another tenant.
 */
export function tenantOf(principal: Principal | undefined): string {
  if (principal === undefined) return '';
  const { tenant, keyId, subject } = principal;
  if (tenant !== undefined) return `tenant ${tenant}`;
  if (keyId !== undefined) return `key ${keyId}`;
  return subject === undefined ? '' : `subject ${subject}`;
}
