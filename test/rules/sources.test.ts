import assert from 'node:assert/strict';
import { test } from 'node:test';
import { code, filesUnder, importsOf, includesOf } from './sources.ts';

test('filesUnder refuses a glob that matches nothing', () => {
  assert.throws(() => filesUnder('native/**/*.ts', 'no-such-folder/**'), /no-such-folder/);
});

test('code blanks comments, keeps lines, and ignores comment marks in strings', () => {
  assert.equal(code("a; // b\n/* c\n */ d('//e');"), "a;     \n    \n    d('//e');");
  assert.equal(code("f('x y');", { strings: true }), "f('   ');");
});

test('importsOf finds every form of import, with paths relative to the top folder', () => {
  const text = [
    "import fs from 'node:fs';",
    "import type { A } from '../native/index.ts';",
    "import {\n  b,\n  c,\n} from './b.ts';",
    "export { d } from './d.ts';",
    "import './e.ts';",
    "// import x from './not.ts';",
    "const f = await import('./f.ts');",
  ].join('\n');
  assert.deepEqual(
    importsOf({ path: 'runtime/a.ts', text }).map(({ target, typeOnly, reExport }) =>
      [target, typeOnly ? 'type' : '', reExport ? 'out' : ''].filter(Boolean).join(' '),
    ),
    [
      'node:fs',
      'native/index.ts type',
      'runtime/b.ts',
      'runtime/d.ts out',
      'runtime/e.ts',
      'runtime/f.ts',
    ],
  );
});

test('includesOf keeps brackets and quotes', () => {
  const text = '#include <atomic>\n# include "ort/api.h"\n// #include <no>';
  assert.deepEqual(includesOf({ path: 'a.cc', text }), ['<atomic>', '"ort/api.h"']);
});
