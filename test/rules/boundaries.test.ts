/** @module Rules about which folders may use the addon, the environment, globals of a runtime, and status codes. */
import { each, rule } from './rule.ts';
import { code, importsOf, occurrences, type Source } from './sources.ts';

/** Finds a pattern in code, without comments and strings. */
const naming = (pattern: RegExp) =>
  each((source) => occurrences(source, code(source.text, { strings: true }), pattern));

const except =
  (paths: readonly string[], check: (sources: readonly Source[]) => readonly string[]) =>
  (sources: readonly Source[]) =>
    check(sources.filter(({ path }) => !paths.some((excepted) => path.startsWith(excepted))));

const sources = ['native/**/*.ts', 'runtime/**/*.ts', 'services/**/*.{ts,mjs}'];

rule({
  title: 'runtime/ gets the engine as an argument',
  files: ['runtime/**/*.ts'],
  check: each((source) =>
    occurrences(
      source,
      code(source.text),
      /\bopenEngine\b|\.node['"`]|\bcreateRequire\b|\bdlopen\b/g,
    ),
  ),
  breaches: [
    { path: 'runtime/a.ts', text: "import { openEngine } from '../native/index.ts';" },
    { path: 'runtime/a.ts', text: "const addon = load('../build/Release/millrace.node');" },
    { path: 'runtime/a.ts', text: 'process.dlopen(module, file);' },
  ],
  allowed: [
    {
      path: 'runtime/b.ts',
      text: "// openEngine\nimport type { Engine } from '../native/index.ts';",
    },
  ],
});

rule({
  title: 'environment and arguments are read in runtime/config/sources.ts only',
  files: sources,
  // The set-up runs before there is a runtime whose configuration it could use.
  check: except(
    ['runtime/config/sources.ts', 'services/cli/setup.mjs', 'services/cli/millrace.mjs'],
    each((source) =>
      occurrences(
        source,
        code(source.text),
        /\b(?:process|Bun|Deno|import\.meta)\s*\.\s*(?:env|argv|args)\b|import\s*\{[^}]*\b(?:env|argv)\b[^}]*\}\s*from\s*['"](?:node:process|bun)['"]|\{[^}]*\b(?:env|argv)\b[^}]*\}\s*=\s*process\b/g,
      ),
    ),
  ),
  breaches: [
    { path: 'services/main.ts', text: 'const port = Number(process.env.PORT);' },
    { path: 'services/main.ts', text: 'run(Deno.args);' },
    { path: 'native/load.ts', text: "import { env } from 'node:process';" },
    { path: 'runtime/log.ts', text: 'const { env } = process;' },
  ],
  allowed: [
    { path: 'runtime/config/sources.ts', text: 'export const read = () => process.env;' },
    {
      path: 'runtime/log.ts',
      text: '/** Set by process.env.LOG_LEVEL. */\nexport const level = 1;',
    },
  ],
});

rule({
  title: 'a runtime’s globals are named in runtime/host/ only',
  files: sources,
  check: each((source) =>
    source.path.startsWith('runtime/host/')
      ? []
      : [
          ...occurrences(
            source,
            code(source.text, { strings: true }),
            /\b(?:Bun|Deno)\s*(?:\?\.|\.|\[)/g,
          ),
          ...importsOf(source)
            .filter(({ target }) => /^(?:bun(?:$|:)|jsr:)/.test(target))
            .map(({ target }) => `${source.path} imports ${target}`),
        ],
  ),
  breaches: [
    { path: 'services/main.ts', text: 'Bun.serve({ fetch });' },
    { path: 'native/load.ts', text: 'Deno.dlopen(file, {});' },
    { path: 'runtime/store.ts', text: "import { Database } from 'bun:sqlite';" },
  ],
  allowed: [
    { path: 'runtime/host/bun.ts', text: 'Bun.serve({ fetch });' },
    { path: 'runtime/a.ts', text: "throw new Error('Bun.serve is missing');" },
  ],
});

rule({
  title: 'status codes of errors are named in services/http/error-response.ts only',
  files: sources,
  // The checker and the client judge responses of other servers.
  check: except(
    [
      'services/http/error-response.ts',
      'services/tools/conform/',
      'services/tools/client/index.ts',
    ],
    naming(
      /\bstatus(?:Code)?\b\s*(?:[:=]|[!=]==?|[<>]=?)\s*[45]\d\d\b|\b[45]\d\d\s*:|\bc\.\w+\([^;]*?,\s*[45]\d\d\b|\.status\(\s*[45]\d\d\b|\bHTTPException\(\s*[45]\d\d\b/g,
    ),
  ),
  breaches: [
    { path: 'services/a.ts', text: "return c.json({ error: 'x' }, 404);" },
    { path: 'services/a.ts', text: 'return new Response(null, { status: 503 });' },
    { path: 'services/a.ts', text: 'const responses = { 400: schema };' },
    { path: 'services/a.ts', text: 'if (response.status === 429) retry();' },
    { path: 'services/a.ts', text: 'throw new HTTPException(401, { message });' },
    { path: 'runtime/a.ts', text: 'error.status = 500;' },
  ],
  allowed: [
    {
      path: 'services/http/error-response.ts',
      text: 'const table = { NOT_FOUND: { status: 404 } };',
    },
    { path: 'services/b.ts', text: 'return c.json(body, 200);\nconst milliseconds = 500;' },
  ],
});

rule({
  title: 'modules have no mutable state',
  files: sources,
  // The formatter indents everything but top-level statements.
  check: naming(
    /^(?:export\s+)?(?:let|var)\s[^;\n]*|^(?:export\s+)?const\s[^=\n]*=\s*(?:new\s+(?:Map|Set|WeakMap|WeakSet)\s*(?:<[^\n]*>)?\(\s*\)|\[\s*\]|\{\s*\})[^\n]*/gm,
  ),
  breaches: [
    { path: 'runtime/a.ts', text: 'let count = 0;' },
    { path: 'runtime/a.ts', text: 'export let engine: Engine | undefined;' },
    { path: 'runtime/a.ts', text: 'const cache = new Map<string, Model>();' },
    { path: 'runtime/a.ts', text: 'const waiting: Request[] = [];' },
  ],
  allowed: [
    {
      path: 'runtime/b.ts',
      text: "const names = new Map([['a', 1]]);\nfunction f() {\n  let i = 0;\n  return i;\n}",
    },
  ],
});

rule({
  title: 'services add no middleware, which the infer routes would bypass on Bun',
  files: ['services/**/*.ts'],
  check: naming(/\.use\s*\(/g),
  breaches: [
    { path: 'services/nlp/index.ts', text: 'app.use(logger());' },
    { path: 'services/http/create-service-app.ts', text: "app.use('/predict', bodyLimit());" },
  ],
  allowed: [{ path: 'services/nlp/index.ts', text: '// app.use() is not for services' }],
});
