/** @module Rules about imports: services → runtime → native/index.ts, and only through the index of a folder. */
import { each, rule } from './rule.ts';
import { type Import, importsOf, type Source } from './sources.ts';

const services = ['services/**/*.{ts,mjs}'];
const runtime = ['runtime/**/*.ts'];
const native = ['native/**/*.ts'];
const sources = [...services, ...runtime, ...native];

const room = (file: string) => file.split('/', 1)[0] ?? '';

/** Defines a rule about single imports. `forbidden` returns whether an import breaks it. */
function importRule(
  title: string,
  files: readonly string[],
  forbidden: (target: string, from: Source, entry: Import) => boolean,
  breaches: readonly Source[],
  allowed: readonly Source[] = [],
): void {
  const check = each((source) =>
    importsOf(source)
      .filter((entry) => forbidden(entry.target, source, entry))
      .map(({ target }) => `${source.path} imports ${target}`),
  );
  rule({ title, files, check, breaches, allowed });
}

importRule(
  'native/ imports neither runtime/ nor services/',
  native,
  (target) => ['runtime', 'services'].includes(room(target)),
  [{ path: 'native/load.ts', text: "import { log } from '../runtime/log.ts';" }],
  [{ path: 'native/load.ts', text: "import { MillraceError } from './errors.ts';" }],
);

importRule('runtime/ does not import services/', runtime, (target) => room(target) === 'services', [
  {
    path: 'runtime/host/bun.ts',
    text: "export { problem } from '../../services/http/error-response.ts';",
  },
]);

importRule(
  'only services/ imports Hono',
  [...runtime, ...native],
  (target) => /^(hono|@hono)(\/|$)/.test(target),
  [
    { path: 'runtime/pipeline.ts', text: "import type { Context } from 'hono';" },
    { path: 'runtime/schema.ts', text: "import { z } from '@hono/zod-openapi';" },
  ],
  [{ path: 'runtime/schema.ts', text: "import { z } from 'zod';" }],
);

importRule(
  'runtime/ is entered through runtime/index.ts only',
  services,
  (target) => room(target) === 'runtime' && target !== 'runtime/index.ts',
  [
    { path: 'services/main.ts', text: "import { loadConfig } from '../runtime/config.ts';" },
    { path: 'services/main.ts', text: "const host = await import('../runtime/host/bun.ts');" },
  ],
  [{ path: 'services/main.ts', text: "import { loadConfig } from '../runtime/index.ts';" }],
);

importRule(
  'native/ is entered through native/index.ts only',
  [...services, ...runtime],
  (target) => room(target) === 'native' && target !== 'native/index.ts',
  [{ path: 'runtime/model.ts', text: "import type { Model } from '../native/types.ts';" }],
  [{ path: 'runtime/model.ts', text: "import type { Model } from '../native/index.ts';" }],
);

importRule(
  'only services/main.ts, the client in process, the process that tries versions and doctor open the engine',
  services,
  (target, from) =>
    room(target) === 'native' &&
    ![
      'services/main.ts',
      'services/tools/client/engine.ts',
      'services/tools/doctor/engine.ts',
      'services/tools/validate/child.ts',
    ].includes(from.path),
  [
    {
      path: 'services/prediction/app.ts',
      text: "import { openEngine } from '../../native/index.ts';",
    },
  ],
  [{ path: 'services/main.ts', text: "import { openEngine } from '../native/index.ts';" }],
);

importRule(
  'nothing that is shipped imports bench/ or test/',
  sources,
  (target) => ['bench', 'test'].includes(room(target)),
  [{ path: 'runtime/registry.ts', text: "import { puppet } from '../test/support/puppet.ts';" }],
);

importRule(
  'only a folder’s index.ts re-exports',
  sources,
  (_target, from, { reExport }) => reExport && !from.path.endsWith('/index.ts'),
  [{ path: 'runtime/tasks/all.ts', text: "export * from './classify.ts';" }],
  [{ path: 'runtime/index.ts', text: "export { createRuntime } from './runtime.ts';" }],
);

/** The shortest cycle of each file that is on one, as `a → b → a`. */
function cycles(files: readonly Source[]): string[] {
  const graph = new Map(
    files.map((file) => [file.path, importsOf(file).map(({ target }) => target)]),
  );
  return [...graph.keys()].flatMap((start) => {
    const reached = new Map<string, string>([[start, start]]);
    for (const [file, trail] of reached) {
      for (const target of graph.get(file) ?? []) {
        if (target === start) return [`${trail} → ${start}`];
        if (!reached.has(target)) reached.set(target, `${trail} → ${target}`);
      }
    }
    return [];
  });
}

rule({
  title: 'imports have no cycles',
  files: sources,
  check: cycles,
  breaches: [{ path: 'native/b.ts', text: "import { a } from './a.ts';" }],
  allowed: [
    { path: 'native/a.ts', text: "import type { B } from './b.ts';\nimport fs from 'node:fs';" },
    { path: 'native/c.ts', text: "import { a } from './a.ts';" },
  ],
});
