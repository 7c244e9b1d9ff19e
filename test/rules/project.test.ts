/** @module Rules about the lock file, the documents and the set-up. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { each, rule } from './rule.ts';
import { filesUnder, importsOf, type Source } from './sources.ts';

const top = path.resolve(import.meta.dirname, '../..');

test('npm ci accepts the lock file', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-lock-'));
  try {
    for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
      copyFileSync(path.join(top, file), path.join(folder, file));
    }
    execFileSync('npm', ['ci', '--dry-run', '--offline'], { cwd: folder, stdio: 'pipe' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the lock file names no registry', () => {
  const [lock] = filesUnder('package-lock.json');
  assert.doesNotMatch(lock?.text ?? '', /"resolved": "https?:/);
});

const scripts = (): ReadonlySet<string> => {
  const [manifest] = filesUnder('package.json');
  return new Set(Object.keys(JSON.parse(manifest?.text ?? '{}').scripts));
};

/** The missing scripts of a document's commands, and the missing files of its links. */
function deadReferences(documents: readonly Source[]): string[] {
  const known = scripts();
  return documents.flatMap(({ path: file, text }) => {
    const named = [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)].map(
      (m) => m[1] ?? m[2] ?? '',
    );
    const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)].map(([, target = '']) => target);
    return [
      ...named
        .filter((name) => !known.has(name))
        .map((name) => `${file}: there is no script ${name}`),
      ...links
        .filter((target) => !existsSync(path.join(top, path.dirname(file), target)))
        .map((target) => `${file}: there is no ${target}`),
    ];
  });
}

rule({
  title: 'commands and links in documents exist',
  files: [
    'README.md',
    'native/README.md',
    '.github/CONTRIBUTING.md',
    '.github/decisions/*.md',
    'models/**/*.md',
    'services/**/*.md',
    'bench/README.md',
  ],
  check: deadReferences,
  breaches: [
    { path: 'README.md', text: 'npm run no-such-script' },
    { path: 'README.md', text: 'see [the map](no/such/file.md)' },
  ],
  allowed: [{ path: 'README.md', text: '`npm start`, `npm run build`, [engine](native/types.ts)' }],
});

rule({
  title: 'every decision record is in the index',
  files: ['.github/decisions/*.md'],
  check: (documents) => {
    const index = documents.find(({ path: file }) => file.endsWith('/README.md'))?.text ?? '';
    return documents
      .filter(
        ({ path: file }) => /\/\d{4}-/.test(file) && !index.includes(`(${path.basename(file)})`),
      )
      .map(({ path: file }) => `${file} is not in the index`);
  },
  breaches: [{ path: '.github/decisions/0001-a.md', text: '# 0001: a' }],
});

rule({
  title: 'the set-up imports only node: modules and its own files',
  files: ['services/cli/setup.mjs', 'services/cli/setup/*.mjs'],
  check: each((source) =>
    importsOf(source)
      .filter(({ target }) => !/^(?:node:|services\/cli\/setup\/)/.test(target))
      .map(({ target }) => `${source.path} imports ${target}`),
  ),
  breaches: [{ path: 'services/cli/setup.mjs', text: "import { Command } from 'commander';" }],
  allowed: [{ path: 'services/cli/setup.mjs', text: "import fs from 'node:fs';" }],
});
