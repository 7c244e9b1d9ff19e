import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../../support/until.ts';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const node = spawnSync('node', ['-p', 'process.execPath'], { encoding: 'utf8' }).stdout.trim();
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A temporary checkout, whose folder `bin` is the whole PATH and has stand-ins for the tools. */
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

  /** Adds packages as after `npm ci`, with a stand-in for cmake-js. */
  install(builder: string): void {
    this.write('node_modules/.millrace-install', createHash('sha256').update('{}').digest('hex'));
    this.write('node_modules/bun/bin/bun.exe', '\x7fELF');
    this.tool('node_modules/.bin/cmake-js', builder);
  }

  get #env() {
    return { PATH: this.at('bin'), ORT_INCLUDE_DIR: this.at('include') };
  }

  /** Runs the set-up, or a command that runs it, concurrently with the test. */
  start(line: readonly string[] = [node, this.at('services/cli/setup.mjs')]) {
    const [command, ...args] = line;
    const child = spawn(command!, args, { cwd: this.root, env: this.#env });
    const started = {
      stderr: '',
      status: new Promise<number | null>((resolve) => child.on('close', resolve)),
      kill: () => child.kill('SIGTERM'),
    };
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      started.stderr += text;
    });
    return started;
  }

  run(
    env: Readonly<Record<string, string>> = { ORT_INCLUDE_DIR: this.at('include') },
    flags: readonly string[] = [],
  ) {
    const script = this.at('services/cli/setup.mjs');
    const { status, stderr } = spawnSync(node, [script, ...flags], {
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

  it('refuses a compiler without C++20', () => {
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

  it('says what to do if the headers cannot be downloaded', () => {
    const sandbox = new Sandbox({ ...compilers, 'apt-get': 'echo no network; exit 100' });
    sandbox.install(build);
    const { status, stderr } = sandbox.run({});
    // A machine with the headers in its system folders needs no download.
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

  it('builds again if the content of a file changes, but not if only its time does', () => {
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

  it('restores the binary of Bun if the installation has replaced it with a stub', () => {
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

  describe('of the tools that only tests need', () => {
    /** A checkout with everything but the clients. */
    const prepared = (tools: Readonly<Record<string, string>>): Sandbox => {
      const sandbox = new Sandbox({ ...compilers, ...tools });
      sandbox.install(build);
      sandbox.write('.millrace/relacy/usr/include/relacy/relacy.hpp', '');
      sandbox.write('.millrace/googletest/include/gtest/gtest.h', '');
      sandbox.write('.millrace/servers/usr/bin/redis-server', '');
      sandbox.write('.millrace/servers/usr/lib/postgresql/15/bin/initdb', '');
      sandbox.write('.millrace/browser/usr/lib/chromium/chromium', '');
      sandbox.write('test/interop/requirements.txt', 'a==1');
      return sandbox;
    };
    const run = (sandbox: Sandbox) => sandbox.run(undefined, ['--tests', '--clients']);
    // The stand-in prints its version, creates the virtual environment, and is the Python in it.
    const python = `case "$2" in venv)
      /bin/mkdir -p .millrace/python/bin && /bin/cp "$0" .millrace/python/bin/python;;
    pip) echo "$@" > pip;; esac`;
    const go = `case "$1" in
      version) echo 'go version go1.26.0 linux/amd64';;
      install) echo x > "$GOBIN/grpcurl";; esac`;
    const tools = {
      python3: python,
      go,
      sh: 'exec /bin/sh "$@"',
      grep: 'exec /bin/grep "$@"',
      env: 'exec /usr/bin/env "$@"',
    };

    it('continues without Python and Go, and says which tests are then skipped', () => {
      const { status, stderr } = run(prepared({}));
      assert.equal(status, 0);
      assert.match(
        stderr,
        /^setup: Python .* is missing: run .*python3-venv`; until then the tests .* are skipped$/m,
      );
      assert.match(stderr, /^setup: Go .* is missing: run .*golang-go`; until then the tests .*$/m);
      assert.match(stderr, /ready in/);
    });

    it('installs the packages of the lock file, and again if it changes', () => {
      const sandbox = prepared(tools);
      assert.match(run(sandbox).stderr, /Python clients: done.*grpcurl: done/s);
      assert.match(readFileSync(sandbox.at('pip'), 'utf8'), /--require-hashes/);
      assert.match(run(sandbox).stderr, /nothing to do/);
      sandbox.write('test/interop/requirements.txt', 'a==2');
      const again = run(sandbox).stderr;
      assert.match(again, /Python clients: done/);
      assert.doesNotMatch(again, /grpcurl/);
    });

    it('continues if the clients cannot be downloaded', () => {
      const sandbox = prepared({ ...tools, go: `${go}\n[ "$1" != install ]` });
      const { status, stderr } = run(sandbox);
      assert.equal(status, 0);
      assert.match(stderr, /grpcurl: not done, so the tests with grpcurl are skipped/);
      assert.match(stderr, /native addon: done/);
    });
  });

  it('waits for another set-up of the same checkout, and repeats no work', async () => {
    const sandbox = new Sandbox(compilers);
    // The build waits for the file `go`, which the test creates once the second set-up waits.
    const wait = 'echo x >> builds; while [ ! -e go ]; do /bin/sleep 0.02; done;';
    sandbox.install(`${wait} ${build}`);
    const first = sandbox.start();
    await until(() => first.stderr.includes('native addon …'), 'the first set-up builds');
    const second = sandbox.start();
    await until(() => second.stderr.includes('waiting for another'), 'the second set-up waits');
    sandbox.write('go', '');
    assert.deepEqual(await Promise.all([first.status, second.status]), [0, 0]);
    // Configuration and build ran once.
    assert.equal(readFileSync(sandbox.at('builds'), 'utf8'), 'x\nx\n');
    assert.doesNotMatch(second.stderr, /native addon/);
    assert.deepEqual(readdirSync(sandbox.at('.millrace')), ['cmake-js.log']);
  });

  it('ends with its shell, together with the processes that it started', async () => {
    const sandbox = new Sandbox(compilers);
    sandbox.install('echo $$ > builder; while :; do /bin/sleep 0.02; done');
    const shell = sandbox.start(['/bin/sh', '-c', `"${node}" services/cli/setup.mjs; true`]);
    await until(() => existsSync(sandbox.at('builder')), 'it builds');
    const builder = Number(readFileSync(sandbox.at('builder'), 'utf8'));
    const [setup] = readFileSync(sandbox.at('.millrace/setup.lock'), 'utf8').split(' ');
    shell.kill();
    for (const pid of [builder, setup]) {
      await until(() => !existsSync(`/proc/${pid}`), `process ${pid} has ended`);
    }
    assert.deepEqual(readdirSync(sandbox.at('.millrace')), ['cmake-js.log']);
  });

  it('takes over a lock whose process id now belongs to another process', () => {
    const sandbox = new Sandbox(compilers);
    sandbox.install(build);
    sandbox.write('.millrace/setup.lock', `${process.pid} 1`);
    assert.match(sandbox.run().stderr, /ready in/);
  });

  it('takes over the lock of a set-up that was killed', () => {
    const sandbox = new Sandbox(compilers);
    sandbox.install(build);
    sandbox.write('.millrace/setup.lock', '999999999');
    assert.match(sandbox.run().stderr, /ready in/);
  });

  it('takes less than two seconds if there is nothing to do', () => {
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
