/**
 * Tries registered versions in processes of their own, because files of strangers may take any memory and time, or end the
 * process that reads them.
 *
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import {
  type Config,
  currentHost,
  type LoadSettings,
  type Probe,
  type ProbeRequest,
  processSources,
  ServeError,
} from '../../../runtime/index.ts';
import { residentBytes } from './memory.ts';
import type { ProbeReply, ProbeTask } from './protocol.ts';

type Settings = LoadSettings &
  Pick<Config, 'ortLibrary' | 'validationMemoryBytes' | 'validationTimeoutMs'>;

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const WATCH_MS = 20;
/** Longest reply, characters: more outputs than any model has. */
const MAX_REPLY = 16 * 1024 * 1024;

/** Variables that the engine needs. The others may hold secrets, which a process that reads hostile files must not have. */
const INHERITED = /^(?:PATH|HOME|TMPDIR|LD_LIBRARY_PATH|DENO_DIR|(?:CUDA|NVIDIA)_\w+)$/;

/** Returns the probe that starts a process for each version, within the limits of the settings. */
export function probeInChild(settings: Settings): Probe {
  return async (request) => {
    const reply = await runChild(request, settings);
    if ('result' in reply) return reply.result;
    throw new ServeError(reply.failure.code, reply.failure.message);
  };
}

async function runChild(request: ProbeRequest, settings: Settings): Promise<ProbeReply> {
  const child = start();
  const reply = collect(child.stdout!);
  const ended = new Promise<Error | undefined>((resolve) => {
    child.once('error', resolve);
    child.once('close', () => resolve(undefined));
  });
  const limits = watch(child, settings);
  try {
    const { device, engineCache, batchSize, maxSequenceLength, ortLibrary } = settings;
    const loading = { device, engineCache, batchSize, maxSequenceLength };
    const task: ProbeTask = { request, settings: loading, ortLibrary };
    // Standard input stays open: it ends with this process, and then the child ends as well.
    child.stdin!.on('error', () => {}).write(`${JSON.stringify(task)}\n`);
    const error = await ended;
    if (error !== undefined) throw error;
    const exceeded = limits.exceeded();
    if (exceeded !== undefined) return { failure: { code: 'REJECTED', message: exceeded } };
    return reply() ?? { failure: { code: 'REJECTED', message: DIED } };
  } finally {
    limits.stop();
    child.kill('SIGKILL');
  }
}

const DIED = 'The process that tried it was ended by it.';

function start(): ChildProcess {
  const isDeno = currentHost().name.startsWith('deno');
  const args = isDeno ? ['run', '-A', '--no-check', CHILD] : [CHILD];
  const env = Object.fromEntries(
    Object.entries(processSources().env).filter(([name]) => INHERITED.test(name)),
  );
  const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'ignore'] });
  // If memory runs out all the same, the kernel ends this process first.
  if (child.pid !== undefined) {
    writeFile(`/proc/${child.pid}/oom_score_adj`, '1000').catch(() => {});
  }
  return child;
}

/** Collects what the child writes. @returns a function that returns its reply; undefined if it has written none */
function collect(output: NodeJS.ReadableStream): () => ProbeReply | undefined {
  let text = '';
  output.setEncoding('utf8').on('data', (chunk: string) => {
    if (text.length < MAX_REPLY) text += chunk;
  });
  return () => {
    try {
      // ONNX Runtime may write lines of its own before it.
      return JSON.parse(text.trimEnd().split('\n').at(-1)!) as ProbeReply;
    } catch {
      return undefined;
    }
  };
}

/** Kills the child when it exceeds a limit. `exceeded` returns the sentence that says which one. */
function watch(child: ChildProcess, limits: Settings) {
  const { validationMemoryBytes: memory, validationTimeoutMs: timeoutMs } = limits;
  let exceeded: string | undefined;
  const kill = (reason: string) => {
    exceeded ??= reason;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => {
    kill(`It was not ready within ${timeoutMs / 1000} s, the limit of VALIDATION_TIMEOUT_SECS.`);
  }, timeoutMs);
  const watching = setInterval(() => {
    if (child.pid === undefined || residentBytes(child.pid) <= memory) return;
    const mebibytes = Math.floor(memory / 2 ** 20);
    kill(`It took more than ${mebibytes} MiB of memory, the limit of VALIDATION_MEMORY_BYTES.`);
  }, WATCH_MS);
  return {
    exceeded: () => exceeded,
    stop() {
      clearTimeout(timer);
      clearInterval(watching);
    },
  };
}
