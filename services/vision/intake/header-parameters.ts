/** @module Parses values of headers that have parameters, such as `form-data; name="image"`. */

/** A value with its parameters by name, in lower case. */
export interface HeaderValue {
  /** In lower case. */
  readonly value: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A parameter: a name, and a token or a string in double quotes, in which a backslash may stand before a quote. */
const PARAMETER = /\s*;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*/y;

/** Undefined if the text is not of this form. Of parameters with the same name the first counts. */
export function parseHeaderValue(text: string): HeaderValue | undefined {
  const end = text.indexOf(';');
  const value = (end < 0 ? text : text.slice(0, end)).trim().toLowerCase();
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = end < 0 ? text.length : end;
  while (PARAMETER.lastIndex < text.length) {
    const at = PARAMETER.lastIndex;
    const found = PARAMETER.exec(text);
    // Some clients end with a semicolon.
    if (found === null) return text.slice(at).trim() === ';' ? { value, parameters } : undefined;
    const name = found[1]!.toLowerCase();
    const content = found[2]?.replace(/\\(["\\])/g, '$1') ?? found[3]!;
    if (!parameters.has(name)) parameters.set(name, content);
  }
  return { value, parameters };
}
