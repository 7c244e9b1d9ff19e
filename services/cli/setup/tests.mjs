/** @module Installs libraries that only the C++ tests need, on machines that lack them. */
import fs from 'node:fs';
import path from 'node:path';
import { execute, state } from './command.mjs';
import { unpackPackage } from './debian.mjs';

const relacy = path.join(state, 'relacy');
const googleTest = path.join(state, 'googletest');

export const hasRelacy = () =>
  ['/', relacy].some((folder) => fs.existsSync(path.join(folder, 'usr/include/relacy/relacy.hpp')));

export const hasGoogleTest = () =>
  ['/usr', googleTest].some((folder) => fs.existsSync(path.join(folder, 'include/gtest/gtest.h')));

export const fetchRelacy = (label) =>
  unpackPackage(label, 'relacy-dev', relacy, 'go online, or install the Debian package relacy-dev');

/** Builds GoogleTest from its sources: Debian 13's library needs a newer C library than Debian 12's. */
export async function buildGoogleTest(label) {
  const source = path.join(state, 'googletest-source');
  const build = path.join(source, 'build');
  const installed = path.join(source, 'installed');
  const remedy = 'go online, or install the Debian package libgtest-dev';
  await unpackPackage(label, 'googletest', source, remedy);
  await execute(label, 'cmake', [
    ...['-S', path.join(source, 'usr/src/googletest'), '-B', build],
    ...['-DBUILD_GMOCK=OFF', '-DCMAKE_BUILD_TYPE=Release', `-DCMAKE_INSTALL_PREFIX=${installed}`],
  ]);
  await execute(label, 'cmake', ['--build', build, '--target', 'install', '--parallel', '2']);
  fs.rmSync(googleTest, { recursive: true, force: true });
  fs.renameSync(installed, googleTest);
  fs.rmSync(source, { recursive: true });
}
