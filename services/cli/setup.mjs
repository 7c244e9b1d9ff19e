/**
 * Brings a fresh clone to the point where it can run: npm packages, Bun's binary, the ONNX Runtime
 * headers and the addon. Every step first checks what is there, so running it again takes
 * milliseconds and needs no network. It runs before `node_modules` exists and therefore imports
 * `node:` modules only, and so do the files beside it.
 *
 * Usage: `node services/cli/setup.mjs [--debug] [--tests] [--clients] [--quiet]`. `--debug` builds the
 * addon into `build/debug`; `--tests` also fetches what the C++ tests need, `--clients` third-party
 * clients; `--quiet` prints nothing if there is nothing to do.
 *
 * Environment: `ORT_INCLUDE_DIR`, a folder that holds `onnxruntime_c_api.h`; `CXX`, the compiler.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { hasBrowser, unpackBrowser } from './setup/browser.mjs';
import {
  hasGrpcurl,
  hasPythonClients,
  installGrpcurl,
  installPythonClients,
} from './setup/clients.mjs';
import { execute, read, root, SetupError, say, seconds, state } from './setup/command.mjs';
import { unpackPackage } from './setup/debian.mjs';
import { endWithParent, withLock } from './setup/lock.mjs';
import { hasServers, unpackServers } from './setup/servers.mjs';
import { buildGoogleTest, fetchRelacy, hasGoogleTest, hasRelacy } from './setup/tests.mjs';

// Not parseArgs: an old Node without it must get as far as the message that says so.
const flags = {
  debug: process.argv.includes('--debug'),
  tests: process.argv.includes('--tests'),
  clients: process.argv.includes('--clients'),
  quiet: process.argv.includes('--quiet'),
};
const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
const at = (...parts) => path.join(root, ...parts);

// ── Packages ─────────────────────────────────────────────────────────────────────────────────────

const installStamp = at('node_modules', '.millrace-install');
const lockHash = () =>
  createHash('sha256')
    .update(read(at('package-lock.json')))
    .digest('hex');

/** Whether packages have to be installed, which restores Bun's stub and may change the addon's sources. */
const packagesAreStale = () => read(installStamp) !== lockHash();

async function installPackages(label) {
  // The build tools are development dependencies, which NODE_ENV=production would leave out.
  await execute(label, 'npm', ['ci', '--include=dev']);
  fs.writeFileSync(installStamp, lockHash());
}

/** The package ships a text stub in place of the binary until its own install script has run. */
function bunIsBinary() {
  const file = at('node_modules', 'bun', 'bin', 'bun.exe');
  if (!fs.existsSync(file)) return false;
  const magic = Buffer.alloc(4);
  const handle = fs.openSync(file, 'r');
  fs.readSync(handle, magic, 0, 4, 0);
  fs.closeSync(handle);
  return magic.toString('latin1') === '\x7fELF';
}

// ── Headers ──────────────────────────────────────────────────────────────────────────────────────

const header = 'onnxruntime_c_api.h';
const oldestApi = 21;
const headers = path.join(state, 'onnxruntime');
const wanted = `a folder that holds ${header} of ONNX Runtime 1.${oldestApi} or newer`;

/** The folder with usable headers, or undefined if they still have to be downloaded. */
function findHeaders() {
  const version = (folder) =>
    Number(/#define ORT_API_VERSION (\d+)/.exec(read(path.join(folder, header)))?.[1] ?? 0);
  const given = process.env.ORT_INCLUDE_DIR && path.resolve(process.env.ORT_INCLUDE_DIR);
  if (given && version(given) < oldestApi) {
    throw new SetupError(`ORT_INCLUDE_DIR must name ${wanted}, but ${given} is none`);
  }
  const candidates = [
    given,
    '/usr/local/include/onnxruntime',
    '/usr/include/onnxruntime',
    path.join(headers, 'usr', 'include', 'onnxruntime'),
  ];
  return candidates.find((folder) => folder && version(folder) >= oldestApi);
}

// ── Addon ────────────────────────────────────────────────────────────────────────────────────────

const buildFolder = at('build', flags.debug ? 'debug' : '');
const addon = path.join(buildFolder, flags.debug ? 'Debug' : 'Release', 'millrace.node');
const addonStamp = `${addon}.sources`;

/** Hash of the contents of all sources of the addon; a clone or a checkout changes every time stamp. */
function sourceHash() {
  const hash = createHash('sha256').update(findHeaders() ?? '');
  const sources = fs.readdirSync(at('native', 'src'), { recursive: true }).sort();
  const inputs = [
    'CMakeLists.txt',
    'node_modules/node-addon-api/package.json',
    'node_modules/node-api-headers/package.json',
    ...sources.map((name) => path.join('native', 'src', name)),
  ];
  for (const file of inputs) {
    if (fs.statSync(at(file), { throwIfNoEntry: false })?.isFile()) {
      hash.update(`${file}\0`).update(read(at(file)));
    }
  }
  return hash.digest('hex');
}

async function buildAddon(label) {
  const hash = sourceHash();
  const cmake = (verb) =>
    execute(label, at('node_modules', '.bin', 'cmake-js'), [
      ...[verb, '--out', buildFolder, '--parallel', String(os.availableParallelism())],
      `--CDORT_INCLUDE_DIR=${findHeaders()}`,
      // The C++ tests are built in the same folder later, when they are run.
      ...['--CDMILLRACE_TESTS=OFF', '--target', 'millrace'],
      ...(flags.debug ? ['--debug'] : []),
    ]);
  fs.rmSync(addonStamp, { force: true });
  // A checkout that was moved or copied brings along a cache that CMake refuses.
  const cache = read(path.join(buildFolder, 'CMakeCache.txt'));
  const here = cache.includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${root}\n`);
  await cmake(here ? 'configure' : 'reconfigure');
  await cmake('build');
  if (!fs.existsSync(addon)) throw new SetupError(`${label} made no ${path.relative(root, addon)}`);
  fs.writeFileSync(addonStamp, hash);
}

// ── Steps ────────────────────────────────────────────────────────────────────────────────────────

const works = (command, args = ['--version'], input = '') =>
  spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;

function compilesCxx20() {
  const probe = '#include <atomic>\n#include <concepts>\nstatic_assert(__cplusplus >= 202002L);\n';
  const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  return compilers.some((name) =>
    works(name, ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'], probe),
  );
}

const tools = {
  npm: { found: () => works('npm'), name: 'npm', package: 'npm' },
  cxx: { found: compilesCxx20, name: 'A C++20 compiler', package: 'g++' },
  make: { found: () => works('ninja') || works('make'), name: 'make', package: 'make' },
  cmake: { found: () => works('cmake'), name: 'CMake', package: 'cmake' },
  python: {
    found: () =>
      works('python3', [
        '-c',
        'import sys, ensurepip, venv; assert (3, 11) <= sys.version_info < (3, 14)',
      ]),
    name: 'Python 3.11, 3.12 or 3.13 with venv',
    package: 'python3-venv',
  },
  go: {
    found: () => works('sh', ['-c', 'go version | grep -qE "go1[.](2[1-9]|[3-9][0-9])"']),
    name: 'Go 1.21 or newer, which Debian 12 has in bookworm-backports,',
    package: 'golang-go',
  },
};

/** The steps, in order. A step with a `loss` runs in parallel to the others; if it fails, the set-up continues and prints the loss. */
const steps = [
  {
    label: 'npm packages',
    needed: packagesAreStale,
    tools: [tools.npm],
    run: installPackages,
  },
  {
    label: 'Bun',
    needed: () => packagesAreStale() || !bunIsBinary(),
    run: (label) => execute(label, process.execPath, [at('node_modules', 'bun', 'install.js')]),
  },
  {
    label: 'ONNX Runtime headers',
    needed: () => !findHeaders(),
    run: (label) =>
      unpackPackage(
        label,
        'libonnxruntime-dev',
        headers,
        `go online, or set ORT_INCLUDE_DIR to ${wanted}`,
      ),
  },
  { label: 'relacy headers', needed: () => flags.tests && !hasRelacy(), run: fetchRelacy },
  {
    label: 'GoogleTest',
    needed: () => flags.tests && !hasGoogleTest(),
    tools: [tools.cxx, tools.make, tools.cmake],
    run: buildGoogleTest,
  },
  {
    label: 'PostgreSQL and Redis',
    needed: () => flags.tests && !hasServers(),
    run: unpackServers,
    loss: 'the tests with these servers are skipped',
  },
  {
    label: 'Chromium',
    needed: () => flags.tests && !hasBrowser(),
    run: unpackBrowser,
    loss: 'the tests of pages in a browser are skipped',
  },
  {
    label: 'Python clients',
    needed: () => flags.clients && !hasPythonClients(),
    tools: [tools.python],
    run: installPythonClients,
    loss: 'the tests with Python clients are skipped',
  },
  {
    label: 'grpcurl',
    needed: () => flags.clients && !hasGrpcurl(),
    tools: [tools.go],
    run: installGrpcurl,
    loss: 'the tests with grpcurl are skipped',
  },
  {
    label: `native addon${flags.debug ? ' (debug)' : ''}`,
    needed: () => packagesAreStale() || !fs.existsSync(addon) || read(addonStamp) !== sourceHash(),
    tools: [tools.cxx, tools.make, tools.cmake],
    run: buildAddon,
  },
];

function checkNode() {
  if (Number.parseInt(process.versions.node, 10) >= 20) return;
  const remedy = `${sudo}apt-get install npm && ${sudo}npm install --global n && ${sudo}n 20`;
  throw new SetupError(
    `Node.js 20 or newer is needed but this is ${process.versions.node}: run \`${remedy}\``,
  );
}

/** What a step needs that is missing, one sentence each. */
const missingTools = (step) =>
  (step.tools ?? [])
    .filter((tool) => !tool.found())
    .map((tool) => `${tool.name} is missing: run \`${sudo}apt-get install ${tool.package}\``);

/** Returns the steps that can be done. @throws {SetupError} If a required step cannot be done. */
function checkTools(pending) {
  const missing = new Map(pending.map((step) => [step, missingTools(step)]));
  const needed = pending.filter((step) => !step.loss).flatMap((step) => missing.get(step));
  if (needed.length > 0) throw new SetupError([...new Set(needed)].join('\nsetup: '));
  return pending.filter((step) => {
    for (const sentence of missing.get(step)) say(`${sentence}; until then ${step.loss}`);
    return missing.get(step).length === 0;
  });
}

async function runStep({ label, run, loss }) {
  try {
    await run(label);
    return 'done';
  } catch (error) {
    if (!loss || !(error instanceof SetupError)) throw error;
    say(error.message);
    return `not done, so ${loss}`;
  }
}

/** Runs steps one after the other. @param all All steps, for their numbers. */
async function runSteps(chosen, all) {
  for (const step of chosen) {
    // Another set-up may have done the step while this one waited.
    if (!step.needed()) continue;
    const since = performance.now();
    const label = `[${all.indexOf(step) + 1}/${all.length}] ${step.label}`;
    say(`${label} …`);
    const outcome = await runStep(step);
    say(`${label}: ${outcome} (${seconds(since)})`);
  }
}

async function main() {
  checkNode();
  const started = performance.now();
  const pending = checkTools(steps.filter((step) => step.needed()));
  if (pending.length === 0) {
    if (!flags.quiet) say(`nothing to do (${Math.round(performance.now() - started)} ms)`);
    return;
  }
  endWithParent();
  const needed = pending.filter((step) => !step.loss);
  const optional = pending.filter((step) => step.loss);
  await withLock(() => Promise.all([runSteps(needed, pending), runSteps(optional, pending)]));
  say(`ready in ${seconds(started)}`);
}

main().catch((error) => {
  say(error instanceof SetupError ? error.message : `could not finish: ${error.message}`);
  // Exit only after the steps that ran in parallel have ended.
  process.exit(1);
});
