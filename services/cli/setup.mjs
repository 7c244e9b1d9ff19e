/**
 * Brings a fresh clone to the point where it can run: npm packages, Bun's binary, the ONNX Runtime
 * headers and the addon. Every step looks at what is there first, so running it again costs
 * milliseconds and needs no network. It runs before `node_modules` exists and therefore imports
 * `node:` modules only.
 *
 * Usage: `node services/cli/setup.mjs [--debug]`; `--debug` builds the addon into `build/debug`.
 * Environment: `ORT_INCLUDE_DIR`, a folder that holds `onnxruntime_c_api.h`; `CXX`, the compiler.
 *
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const state = path.join(root, '.millrace');
const debug = process.argv.includes('--debug');
const sudo = process.getuid?.() === 0 ? '' : 'sudo ';

/** A cause the person at the keyboard can mend; its message is the one sentence they see. */
class SetupError extends Error {}

const say = (text) => process.stderr.write(`setup: ${text}\n`);
const at = (...parts) => path.join(root, ...parts);
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
const works = (command, args = ['--version'], input = '') =>
  spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;

/** Runs a command with its output in a log, saying every 10 s that it is still at work. */
async function execute(label, command, args, cwd = root) {
  const log = path.join(state, `${path.basename(command)}.log`);
  const started = performance.now();
  const out = fs.openSync(log, 'w');
  const heartbeat = setInterval(() => say(`${label}: still running (${seconds(started)})`), 10_000);
  try {
    const child = spawn(command, args, { cwd, stdio: ['ignore', out, out] });
    const status = await new Promise((resolve, reject) =>
      child.on('error', reject).on('close', resolve),
    );
    if (status === 0) return;
    const tail = read(log).trimEnd().split('\n').slice(-40).join('\n');
    process.stderr.write(`${tail}\n`);
    throw new SetupError(`${label} failed; the whole output is in ${path.relative(root, log)}`);
  } finally {
    clearInterval(heartbeat);
    fs.closeSync(out);
  }
}

// ── Packages ─────────────────────────────────────────────────────────────────────────────────────

const installStamp = at('node_modules', '.millrace-install');
const lockHash = () =>
  createHash('sha256')
    .update(read(at('package-lock.json')))
    .digest('hex');

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

// ── ONNX Runtime headers ─────────────────────────────────────────────────────────────────────────

const header = 'onnxruntime_c_api.h';
const oldestApi = 21;
const unpacked = path.join(state, 'onnxruntime');
const unpackedInclude = path.join(unpacked, 'usr', 'include', 'onnxruntime');
const apiVersion = (folder) =>
  Number(/#define ORT_API_VERSION (\d+)/.exec(read(path.join(folder, header)))?.[1] ?? 0);

/** The folder with usable headers, or undefined where they are still to be fetched. */
function findHeaders() {
  const given = process.env.ORT_INCLUDE_DIR && path.resolve(process.env.ORT_INCLUDE_DIR);
  if (given && apiVersion(given) < oldestApi) {
    throw new SetupError(
      `ORT_INCLUDE_DIR must name a folder with ${header} of ONNX Runtime 1.${oldestApi} or newer, but ${given} holds none`,
    );
  }
  const candidates = [
    given,
    '/usr/local/include/onnxruntime',
    '/usr/include/onnxruntime',
    unpackedInclude,
  ];
  return candidates.find((folder) => folder && apiVersion(folder) >= oldestApi);
}

/** Where this machine gets Debian packages from, as the body of a deb822 stanza for trixie. */
function debianSource() {
  const stanzas = read('/etc/apt/sources.list.d/debian.sources').split(/\n\s*\n/);
  const field = (stanza, name) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(stanza)?.[1];
  const stanza = stanzas.find(
    (text) => field(text, 'URIs') && !field(text, 'URIs').includes('security'),
  );
  const line = /^deb\s+(?:\[.*?\]\s+)?(\S+\/debian\/?)\s/m.exec(read('/etc/apt/sources.list'));
  const uri = stanza ? field(stanza, 'URIs') : line?.[1];
  if (!uri) return undefined;
  const key =
    (stanza && field(stanza, 'Signed-By')) ?? '/usr/share/keyrings/debian-archive-keyring.gpg';
  return `Types: deb\nURIs: ${uri}\nSuites: trixie\nComponents: main\nSigned-By: ${key}\n`;
}

/** Unpacks Debian's header package into `.millrace`, without touching the machine's own apt state. */
async function fetchHeaders(label) {
  const remedy = `set ORT_INCLUDE_DIR to a folder that holds ${header} of ONNX Runtime 1.${oldestApi} or newer`;
  const source = debianSource();
  if (!source)
    throw new SetupError(
      `No Debian package source was found for the ONNX Runtime headers: ${remedy}`,
    );
  const work = fs.mkdtempSync(path.join(state, 'apt-'));
  try {
    for (const name of ['parts', 'lists/partial', 'cache/archives/partial', 'tree']) {
      fs.mkdirSync(path.join(work, name), { recursive: true });
    }
    fs.writeFileSync(path.join(work, 'parts', 'trixie.sources'), source);
    const options = [
      `Dir::State::Lists=${work}/lists`,
      `Dir::Cache=${work}/cache`,
      'Dir::Etc::SourceList=/dev/null',
      `Dir::Etc::SourceParts=${work}/parts`,
      'APT::Update::Error-Mode=any',
      'Acquire::http::Timeout=20',
      // apt's unprivileged user cannot write into a checkout that root owns.
      ...(process.getuid?.() === 0 ? ['APT::Sandbox::User=root'] : []),
    ].flatMap((option) => ['-o', option]);
    await execute(label, 'apt-get', [...options, 'update'], work);
    await execute(label, 'apt-get', [...options, 'download', 'libonnxruntime-dev'], work);
    const file = fs.readdirSync(work).find((name) => name.endsWith('.deb'));
    await execute(label, 'dpkg', ['-x', path.join(work, file), path.join(work, 'tree')]);
    fs.rmSync(unpacked, { recursive: true, force: true });
    fs.renameSync(path.join(work, 'tree'), unpacked);
  } catch (error) {
    throw new SetupError(
      `The ONNX Runtime headers could not be fetched (${error.message}): go online, or ${remedy}`,
    );
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

// ── Addon ────────────────────────────────────────────────────────────────────────────────────────

const buildFolder = debug ? at('build', 'debug') : at('build');
const addon = path.join(buildFolder, debug ? 'Debug' : 'Release', 'millrace.node');
const addonStamp = `${addon}.sources`;

/** Hash of all the addon is made from; contents, because a clone or a checkout resets every time stamp. */
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
    if (fs.statSync(at(file), { throwIfNoEntry: false })?.isFile())
      hash.update(`${file}\0`).update(read(at(file)));
  }
  return hash.digest('hex');
}

async function buildAddon(label) {
  const hash = sourceHash();
  const cmake = (verb) =>
    execute(label, at('node_modules', '.bin', 'cmake-js'), [
      ...[verb, '--out', buildFolder, '--parallel', String(os.availableParallelism())],
      ...[`--CDORT_INCLUDE_DIR=${findHeaders()}`, ...(debug ? ['--debug'] : [])],
    ]);
  fs.rmSync(addonStamp, { force: true });
  // A checkout that was moved or copied brings along a cache that CMake refuses.
  const cache = read(path.join(buildFolder, 'CMakeCache.txt'));
  await cmake(
    cache.includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${root}\n`) ? 'configure' : 'reconfigure',
  );
  await cmake('build');
  if (!fs.existsSync(addon)) throw new SetupError(`${label} made no ${path.relative(root, addon)}`);
  fs.writeFileSync(addonStamp, hash);
}

// ── What each step needs ─────────────────────────────────────────────────────────────────────────

const anyWorks = (names, args, input) =>
  names.filter(Boolean).some((name) => works(name, args, input));
const cxxProbe = '#include <atomic>\n#include <concepts>\nstatic_assert(__cplusplus >= 202002L);\n';

const tools = {
  npm: { missing: () => !works('npm'), say: 'npm is missing', package: 'npm' },
  compiler: {
    missing: () =>
      !anyWorks(
        process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'],
        ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-'],
        cxxProbe,
      ),
    say: 'A C++20 compiler is missing',
    package: 'g++',
  },
  make: { missing: () => !anyWorks(['ninja', 'make']), say: 'make is missing', package: 'make' },
  cmake: { missing: () => !works('cmake'), say: 'CMake is missing', package: 'cmake' },
};

const steps = [
  {
    label: 'npm packages',
    needed: () => read(installStamp) !== lockHash(),
    tools: ['npm'],
    run: installPackages,
  },
  {
    label: 'Bun',
    needed: () => !bunIsBinary(),
    tools: [],
    run: (label) => execute(label, process.execPath, [at('node_modules', 'bun', 'install.js')]),
  },
  { label: 'ONNX Runtime headers', needed: () => !findHeaders(), tools: [], run: fetchHeaders },
  {
    label: debug ? 'native addon (debug)' : 'native addon',
    needed: () => !fs.existsSync(addon) || read(addonStamp) !== sourceHash(),
    tools: ['compiler', 'make', 'cmake'],
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

function checkTools(pending) {
  const missing = [...new Set(pending.flatMap((step) => step.tools))]
    .map((name) => tools[name])
    .filter((tool) => tool.missing())
    .map((tool) => `${tool.say}: run \`${sudo}apt-get install ${tool.package}\``);
  if (missing.length > 0) throw new SetupError(missing.join('\nsetup: '));
}

/** Keeps two set-ups of one checkout apart; a lock whose holder has died is taken over. */
async function withLock(work) {
  const lock = path.join(state, 'setup.lock');
  const mine = `${lock}.${process.pid}`;
  const alive = (pid) => pid > 0 && fs.existsSync(`/proc/${pid}`);
  fs.writeFileSync(mine, String(process.pid));
  for (let waits = 0; ; waits++) {
    try {
      // A link appears with its content, so nobody reads a lock that names no holder yet.
      fs.linkSync(mine, lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const holder = Number(read(lock));
      if (!alive(holder)) fs.rmSync(lock, { force: true });
      else if (waits === 0) say(`waiting for another set-up of this checkout (process ${holder})`);
      await delay(200);
    }
  }
  try {
    await work();
  } finally {
    for (const file of [lock, mine]) fs.rmSync(file, { force: true });
  }
}

async function main() {
  const started = performance.now();
  checkNode();
  const pending = steps.filter((step) => step.needed());
  checkTools(pending);
  if (pending.length === 0)
    return say(`nothing to do (${Math.round(performance.now() - started)} ms)`);
  fs.mkdirSync(state, { recursive: true });
  await withLock(async () => {
    for (const [index, { label, needed, run }] of pending.entries()) {
      // Another set-up may have done it while this one waited.
      if (!needed()) continue;
      const since = performance.now();
      const count = `[${index + 1}/${pending.length}]`;
      say(`${count} ${label} …`);
      await run(label);
      say(`${count} ${label}: done in ${seconds(since)}`);
    }
  });
  say(`ready in ${seconds(started)}`);
}

main().catch((error) => {
  say(error instanceof SetupError ? error.message : `could not finish: ${error.message}`);
  process.exitCode = 1;
});
