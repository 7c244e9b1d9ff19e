import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const node = spawnSync('node', ['-p', 'process.execPath'], { encoding: 'utf8' }).stdout.trim();
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A checkout of its own with a `bin` that is the whole PATH and holds stand-ins for the tools. */
class Sandbox {
  readonly root = mkdtempSync(path.join(tmpdir(), 'millrace-setup-'));

  constructor(tools: Readonly<Record<string, string>>) {
    folders.push(this.root);
    cpSync(path.join(top, 'services/cli/setup'), this.at('services/cli/setup'), {
      recursive: true,
    });
    cpSync(path.join(top, 'services/cli/setup.mjs'), this.at('services/cli/setup.mjs'));
    this.write('package-lock.json', '{}');
    this.write('native/src/a.cc', 'int a;');
    this.write('include/onnxruntime_c_api.h', '#define ORT_API_VERSION 21\n');
    mkdirSync(this.at('bin'));
    symlinkSync(node, this.at('bin/node'));
    for (const [name, script] of Object.entries(tools)) this.tool(`bin/${name}`, script);
  }

  at(file: string): string {
    return path.join(this.root, file);
  }

  write(file: string, text: string): void {
    mkdirSync(path.dirname(this.at(file)), { recursive: true });
    writeFileSync(this.at(file), text);
  }

  tool(file: string, script: string): void {
    this.write(file, `#!/bin/sh\n${script}\n`);
    chmodSync(this.at(file), 0o755);
  }

  /** As after `npm ci`, with a builder in place of cmake-js. */
  install(builder: string): void {
    this.write('node_modules/.millrace-install', createHash('sha256').update('{}').digest('hex'));
    this.write('node_modules/bun/bin/bun.exe', '\x7fELF');
    this.tool('node_modules/.bin/cmake-js', builder);
  }

  run(env: Readonly<Record<string, string>> = { ORT_INCLUDE_DIR: this.at('include') }) {
    const script = this.at('services/cli/setup.mjs');
    const { status, stderr } = spawnSync(node, [script], {
      env: { PATH: this.at('bin'), ...env },
      encoding: 'utf8',
    });
    return { status, stderr };
  }
}

const compilers = { 'c++': 'exit 0', make: 'exit 0', cmake: 'exit 0' };
const build = '/bin/mkdir -p build/Release && echo x > build/Release/millrace.node';

describe('set-up', () => {
  it('names every missing tool with the command that installs it', () => {
    const { status, stderr } = new Sandbox({}).run();
    assert.equal(status, 1);
    for (const [name, command] of [
      ['npm', 'npm'],
      ['A C\\+\\+20 compiler', 'g\\+\\+'],
      ['make', 'make'],
      ['CMake', 'cmake'],
    ]) {
      assert.match(
        stderr,
        new RegExp(`^setup: ${name} is missing: run .*apt-get install ${command}\``, 'm'),
      );
    }
  });

  it('refuses a compiler that knows no C++20', () => {
    const { stderr } = new Sandbox({ ...compilers, npm: 'exit 0', 'c++': 'exit 1' }).run();
    assert.match(stderr, /A C\+\+20 compiler is missing/);
  });

  it('refuses an ORT_INCLUDE_DIR without usable headers', () => {
    const sandbox = new Sandbox(compilers);
    sandbox.write('include/onnxruntime_c_api.h', '#define ORT_API_VERSION 14\n');
    const { status, stderr } = sandbox.run();
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^setup: ORT_INCLUDE_DIR must name .* 1\.21 or newer, but .*include is none$/m,
    );
  });

  it('says what to do where the headers cannot be fetched', () => {
    const sandbox = new Sandbox({ ...compilers, 'apt-get': 'echo no network; exit 100' });
    sandbox.install(build);
    const { status, stderr } = sandbox.run({});
    // A machine that has the headers in its own folders needs no fetching.
    if (status === 0) return;
    assert.equal(status, 1);
    assert.match(
      stderr,
      /ONNX Runtime headers could not be fetched .*: go online, or set ORT_INCLUDE_DIR/,
    );
  });

  it('shows the output of a build that fails', () => {
    const sandbox = new Sandbox(compilers);
    sandbox.install('echo "a.cc:1: error"; exit 1');
    const { status, stderr } = sandbox.run();
    assert.equal(status, 1);
    assert.match(stderr, /^a\.cc:1: error$/m);
    assert.match(
      stderr,
      /^setup: native addon failed; the whole output is in \.millrace\/cmake-js\.log$/m,
    );
  });

  it('builds again after a change of content, and not of time', () => {
    const sandbox = new Sandbox(compilers);
    sandbox.install(build);
    assert.match(sandbox.run().stderr, /native addon: done/);
    assert.match(sandbox.run().stderr, /^setup: nothing to do \(\d+ ms\)\n$/);
    utimesSync(sandbox.at('native/src/a.cc'), new Date(), new Date());
    assert.match(sandbox.run().stderr, /nothing to do/);
    appendFileSync(sandbox.at('native/src/a.cc'), 'int b;');
    assert.match(sandbox.run().stderr, /native addon: done/);
    sandbox.write('native/src/new.h', '');
    assert.match(sandbox.run().stderr, /native addon: done/);
  });

  it('installs again after a change of the lock file', () => {
    const sandbox = new Sandbox({ ...compilers, npm: 'exit 0' });
    sandbox.install(build);
    sandbox.run();
    sandbox.write('package-lock.json', '{"changed":true}');
    assert.match(sandbox.run().stderr, /npm packages: done/);
    assert.match(sandbox.run().stderr, /nothing to do/);
  });

  it('brings Bun’s binary back where installing has put its stub there', () => {
    const npm = 'if [ "$1" = ci ]; then echo stub > node_modules/bun/bin/bun.exe; fi';
    const sandbox = new Sandbox({ ...compilers, npm });
    sandbox.install(build);
    sandbox.write(
      'node_modules/bun/install.js',
      "require('fs').writeFileSync(__dirname + '/bin/bun.exe', '\\x7fELF');",
    );
    sandbox.run();
    sandbox.write('package-lock.json', '{"changed":true}');
    assert.match(sandbox.run().stderr, /Bun: done/);
    assert.match(sandbox.run().stderr, /nothing to do/);
  });

  it('takes over the lock of a set-up that died', () => {
    const sandbox = new Sandbox(compilers);
    sandbox.install(build);
    sandbox.write('.millrace/setup.lock', '999999999');
    assert.match(sandbox.run().stderr, /ready in/);
  });

  it('costs less than two seconds where nothing is to be done', () => {
    const started = performance.now();
    const { status, stderr } = spawnSync(node, [path.join(top, 'services/cli/setup.mjs')], {
      encoding: 'utf8',
    });
    const elapsed = performance.now() - started;
    assert.equal(status, 0);
    assert.match(stderr, /nothing to do/);
    assert.ok(elapsed < 2000, `took ${elapsed} ms`);
  });
});
