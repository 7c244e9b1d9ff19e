/** @module Installs third-party clients, for the tests that use a server through them. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { execute, read, root, state } from './command.mjs';

const python = path.join(state, 'python');
const interpreter = path.join(python, 'bin', 'python');
const lock = path.join(root, 'test', 'interop', 'requirements.txt');
const pythonStamp = path.join(python, 'installed');

const grpcurl = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3';
const bin = path.join(state, 'bin');
const grpcurlStamp = path.join(bin, 'grpcurl.installed');

const lockHash = () => createHash('sha256').update(read(lock)).digest('hex');

export const hasPythonClients = () =>
  fs.existsSync(interpreter) && read(pythonStamp) === lockHash();

/** Installs exactly the packages in the lock file, into a virtual environment of its own. */
export async function installPythonClients(label) {
  fs.rmSync(python, { recursive: true, force: true });
  await execute(label, 'python3', ['-m', 'venv', python]);
  await execute(label, interpreter, [
    ...['-m', 'pip', 'install', '--disable-pip-version-check', '--retries=2', '--timeout=20'],
    ...['--no-deps', '--require-hashes'],
    // A package without a binary would need compilers and libraries that nobody has checked for.
    ...['--only-binary=:all:', '-r', lock],
  ]);
  fs.writeFileSync(pythonStamp, lockHash());
}

export const hasGrpcurl = () =>
  fs.existsSync(path.join(bin, 'grpcurl')) && read(grpcurlStamp) === grpcurl;

/** Builds it from its sources, whose checksums Go verifies. */
export async function installGrpcurl(label) {
  fs.mkdirSync(bin, { recursive: true });
  await execute(label, 'env', [`GOBIN=${bin}`, 'go', 'install', grpcurl]);
  fs.writeFileSync(grpcurlStamp, grpcurl);
}
