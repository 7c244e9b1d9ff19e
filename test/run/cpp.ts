/** @module Builds the C++ tests and runs them with ctest. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { CommandLine, Environment, Preparation, Suite, TestCommand } from './types.ts';

export const root = path.resolve(import.meta.dirname, '../..');

/** The builds of the C++ tests and of the addon, with their sanitizers. */
const sanitizersOf = {
  plain: '',
  address: 'address',
  'address-undefined': 'address,undefined',
  thread: 'thread',
} as const;
export type Build = keyof typeof sanitizersOf;
/** The build folder. That without a sanitizer is the folder of the product, so that its libraries are built once. */
export const folderOf = (build: Build) => (build === 'plain' ? 'build' : `build-test/${build}`);

const configure = (build: Build): CommandLine => [
  ...['cmake', '-S', '.', '-B', folderOf(build), '-DMILLRACE_TESTS=ON'],
  `-DMILLRACE_SANITIZE=${sanitizersOf[build]}`,
  // The set-up installs missing libraries there.
  `-DCMAKE_PREFIX_PATH=${root}/.millrace/googletest;${root}/.millrace/relacy/usr`,
  // The set-up has stored the headers' folder in the cache of the product's build.
  ...(build === 'plain' ? [] : [`-DCMAKE_JS_INC=${root}/node_modules/node-api-headers/include`]),
];

/** The programs that contain test files, from the list that CMake writes: one `program file` per line. */
export function programsOf(list: string, files: readonly string[]): string[] {
  const lines = list.split('\n').map((line) => line.split(' '));
  const programs = lines.filter(([, file]) => file && files.includes(path.relative(root, file)));
  return [...new Set(programs.map(([program]) => program ?? ''))].sort();
}

/** The first names and how many more there are: the name of a preparation is also that of its log file. */
const listed = (names: readonly string[]) =>
  names.length > 4
    ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
    : names.join(', ');

/** Builds targets, or the programs of some test files; without either, everything. */
export function build(
  name: Build,
  { targets = [], files }: { targets?: readonly string[]; files?: readonly string[] } = {},
): Preparation {
  const list = path.join(folderOf(name), 'test-programs.txt');
  const parts = [...targets, ...(files ?? []).map((file) => path.basename(file, '.cc'))];
  return {
    name: `build: ${name}${parts.length > 0 ? ` (${listed(parts)})` : ''}`,
    place: folderOf(name),
    steps: [
      () => configure(name),
      (slots) => {
        const named = files ? programsOf(readFileSync(list, 'utf8'), files) : targets;
        return [
          ...['cmake', '--build', folderOf(name), '--parallel', String(slots)],
          ...(named.length > 0 ? ['--target', ...named] : []),
        ];
      },
    ],
  };
}

/** The names that ctest gives to the tests of a file: groups of GoogleTest, or its folder if it has none. */
export function groupsOf(file: string, source: string): string[] {
  const macros = source.matchAll(/^\s*(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)/gm);
  const groups = [...macros].map(([, group = '']) => group);
  return groups.length > 0 ? [...new Set(groups)] : [path.basename(path.dirname(file))];
}

/** The regular expression for ctest that selects the tests of some files. */
export function filterOf(files: readonly string[]): string {
  const groups = files.flatMap((file) => groupsOf(file, readFileSync(file, 'utf8')));
  return `(^|/)(${groups.join('|')})[./]`;
}

const options: Environment = {
  UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1',
};

const ctest =
  (name: Build, labels: readonly string[]): TestCommand =>
  (files, report, { slots, whole }) => [
    ...['ctest', '--test-dir', folderOf(name), '--output-on-failure', '--no-tests=error'],
    ...['--parallel', String(slots), '--output-junit', report, ...labels],
    ...(whole ? [] : ['-R', filterOf(files)]),
  ];

/** Files that C++ tests and the tests of the addon use, besides what is built: models, and the versions of packages. */
export const alwaysUsed = ['test/fixtures/models/**', 'package-lock.json'];

export interface CppOptions
  extends Pick<Suite, 'run' | 'alone' | 'env' | 'changed' | 'files' | 'except'> {
  /** Arguments that select tests by label: `-L` and `-LE`. */
  readonly labels?: readonly string[];
  /** The targets to build. Default: all. */
  readonly targets?: readonly string[];
}

/** A suite of C++ tests, which ctest runs. */
export function cpp(
  title: string,
  name: Build,
  { labels = [], targets, ...rest }: CppOptions = {},
): Suite {
  return {
    name: `c++: ${title}`,
    files: ['test/native/cpp/**/*_test.cc', 'test/native/model/*.cc'],
    ...rest,
    needs: (files) => build(name, files ? { files } : targets ? { targets } : {}),
    command: ctest(name, labels),
    inputs: [`${folderOf(name)}/test/native/**/{millrace-*,*_tests.cmake}`, ...alwaysUsed],
    env: { ...options, ...rest.env },
  };
}
