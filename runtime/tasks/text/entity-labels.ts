/** @module The labels of tokens: which type of entity a token is part of, and whether it is the first of its entity. */

/** What transformers' pipeline leaves out. */
export const OUTSIDE = 'O';

export interface Tag {
  /** Tokens of the same type that follow each other are one entity. */
  readonly type: string;
  /** Whether an entity begins here although the token before it has the same type. */
  readonly begins: boolean;
  /** How the entity that begins here is called. */
  readonly name: string;
}

/** Prefixes of the schemes BIOES and BILOU besides B and I: single tokens (S, U), and last ones (E, L). */
const BEGINNING = ['S', 'U'];
const CONTINUING = ['E', 'L'];

/**
 * The tags of a model's labels, as transformers reads them; those of BIOES and BILOU are read like BIO, where there are labels of
 * that type with B or I.
 */
export function tagsOf(labels: readonly string[]): readonly Tag[] {
  const known = new Set(labels);
  return labels.map((label) => {
    const [, prefix = '', rest = ''] = /^([A-Z])-(.*)$/s.exec(label) ?? [];
    const name = label.slice(label.indexOf('-') + 1);
    if (prefix === 'B' || prefix === 'I') return { type: rest, begins: prefix === 'B', name };
    const isScheme = known.has(`B-${rest}`) || known.has(`I-${rest}`);
    if (isScheme && BEGINNING.includes(prefix)) return { type: rest, begins: true, name };
    if (isScheme && CONTINUING.includes(prefix)) return { type: rest, begins: false, name };
    return { type: label, begins: false, name };
  });
}
