/** @module Rules about error messages: their full stop, and quotes around names. */

import { each, rule } from './rule.ts';
import { occurrences, type Source } from './sources.ts';

const LITERAL = /(`(?:\\.|[^`\\])*`|'(?:\\.|[^'\\\n])*')/.source;
const errorsOf = (name: string) =>
  new RegExp(`new ${name}\\(\\s*(?:'[A-Z_]+'|\\w+),\\s*${LITERAL}`, 'g');

/** The messages of an error class that are wrong, with their places. The constructor checks messages that end with a value. */
const messages = (source: Source, name: string, isWrong: (text: string) => boolean) =>
  occurrences(source, source.text, errorsOf(name)).filter((place) => isWrong(place.slice(0, -1)));

rule({
  title: 'the message of a ServeError is a sentence that ends with a full stop',
  files: ['runtime/**/*.ts', 'services/**/*.ts'],
  check: each((source) => messages(source, 'ServeError', (text) => !/[.}]$/.test(text))),
  breaches: [
    { path: 'runtime/a.ts', text: "throw new ServeError('INVALID_ARGUMENT', 'id must be text');" },
    { path: 'runtime/b.ts', text: 'new ServeError(\n  code,\n  `It must be text`,\n);' },
  ],
  allowed: [
    { path: 'runtime/c.ts', text: "new ServeError('INTERNAL', 'The server failed.', { cause });" },
    { path: 'runtime/d.ts', text: `new ServeError('INTERNAL', \`Cannot load it: \${reason}\`);` },
  ],
});

rule({
  title: 'the message of a MillraceError has no full stop, because callers add to it',
  files: ['native/*.ts'],
  check: each((source) => messages(source, 'MillraceError', (text) => text.endsWith('.'))),
  breaches: [
    { path: 'native/a.ts', text: "new MillraceError('NOT_FOUND', 'There is no addon.');" },
  ],
  allowed: [{ path: 'native/b.ts', text: "new MillraceError('NOT_FOUND', 'There is no addon');" }],
});

rule({
  title: 'messages put names between single quotes, which JSON does not escape',
  // native/codec.ts, which is not among them, writes JSON.
  files: [
    'native/{axes,channel,engine,load-options,model}.ts',
    'runtime/**/*.ts',
    'services/{http,prediction,inference}/**/*.ts',
  ],
  check: each((source) => occurrences(source, source.text, /(?<!=)"\$\{[^}]*\}"/g)),
  breaches: [{ path: 'runtime/a.ts', text: `const message = \`There is no model "\${name}".\`;` }],
  // A header and the text format of metrics want double quotes.
  allowed: [{ path: 'runtime/b.ts', text: `const label = \`\${name}="\${value}"\`;` }],
});
