/** @module Recognises the objects of JSON. */

/** Whether a value of JSON is an object, and not a list or null. */
export const isObject = (json: unknown): json is Readonly<Record<string, unknown>> =>
  typeof json === 'object' && json !== null && !Array.isArray(json);
