/** @module Leaves members that a request may have beside its own out of a body. */

/**
 * The body without the members of these names, except those that the schema has itself.
 *
 * @param others Members that hold keys of sticky splits.
 * @param shape The members of the schema.
 */
export function withoutMembers(
  body: unknown,
  others: ReadonlySet<string>,
  shape: Readonly<Record<string, unknown>>,
): unknown {
  if (others.size === 0 || typeof body !== 'object' || body === null) return body;
  const own = Object.entries(body).filter(([name]) => !others.has(name) || name in shape);
  return Object.fromEntries(own);
}
