/** @module Packages from Debian, unpacked into a folder without touching the machine's own apt state. */
import fs from 'node:fs';
import path from 'node:path';
import { execute, read, SetupError, state } from './command.mjs';

/** The source from which this machine gets Debian packages, as a deb822 stanza for a release. */
function sourceOf(release) {
  const field = (stanza, name) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(stanza)?.[1];
  const stanza = read('/etc/apt/sources.list.d/debian.sources')
    .split(/\n\s*\n/)
    .find((text) => /^URIs:(?!.*security)/m.test(text));
  const line = /^deb\s+(?:\[.*?\]\s+)?(\S+\/debian\/?)\s/m.exec(read('/etc/apt/sources.list'));
  const uri = stanza ? field(stanza, 'URIs') : line?.[1];
  if (!uri) throw new SetupError('this machine has no Debian package source');
  const key =
    (stanza && field(stanza, 'Signed-By')) ?? '/usr/share/keyrings/debian-archive-keyring.gpg';
  return `Types: deb\nURIs: ${uri}\nSuites: ${release}\nComponents: main\nSigned-By: ${key}\n`;
}

/** The options that keep apt inside one folder. */
function aptOptions(folder) {
  return [
    `Dir::State::Lists=${folder}/lists`,
    `Dir::Cache=${folder}/cache`,
    'Dir::Etc::SourceList=/dev/null',
    `Dir::Etc::SourceParts=${folder}/parts`,
    'APT::Update::Error-Mode=any',
    'Acquire::http::Timeout=20',
    // apt's unprivileged user cannot write into a checkout that root owns.
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User=root'] : []),
  ].flatMap((option) => ['-o', option]);
}

/**
 * Unpacks what apt downloads into `target`, whole or not at all. Debian checks its signatures.
 *
 * @param release Name of the Debian release that has the packages.
 * @param download Arguments of apt-get.
 * @param wanted Whether a file of the download is unpacked.
 * @param remedy What to do if this cannot work, as the end of a sentence.
 * @throws {SetupError} Without a network, on another distribution, or without apt.
 */
async function unpack(label, release, download, wanted, target, remedy) {
  const work = fs.mkdtempSync(path.join(state, 'apt-'));
  const options = aptOptions(work);
  const archives = path.join(work, 'cache/archives');
  try {
    for (const folder of ['parts', 'lists/partial', 'cache/archives/partial', 'tree']) {
      fs.mkdirSync(path.join(work, folder), { recursive: true });
    }
    fs.writeFileSync(path.join(work, 'parts', `${release}.sources`), sourceOf(release));
    await execute(label, 'apt-get', [...options, 'update'], work);
    await execute(label, 'apt-get', [...options, ...download], archives);
    const files = fs.readdirSync(archives).filter((name) => name.endsWith('.deb'));
    for (const file of files.filter(wanted)) {
      await execute(label, 'dpkg', ['-x', path.join(archives, file), path.join(work, 'tree')]);
    }
    fs.rmSync(target, { recursive: true, force: true });
    fs.renameSync(path.join(work, 'tree'), target);
  } catch (error) {
    throw new SetupError(`${label} could not be fetched (${error.message}): ${remedy}`);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Unpacks a package of Debian 13, without what it depends on. @throws {SetupError} as `unpack` does */
export const unpackPackage = (label, name, target, remedy) =>
  unpack(label, 'trixie', ['download', name], () => true, target, remedy);

/**
 * Unpacks programs of this machine's release of Debian, with the packages that they need and the machine does not have.
 *
 * @param unused Matches the names of packages that only other uses of the programs need.
 * @throws {SetupError} as `unpack` does
 */
export function unpackPrograms(label, names, unused, target, remedy) {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(read('/etc/os-release'))?.[1];
  if (!release) throw new SetupError(`${label}: this is no release of Debian: ${remedy}`);
  // Nothing is installed, so nothing needs to be locked.
  const options = ['-o', 'Debug::NoLocking=true', '--yes', '--no-install-recommends'];
  const download = [...options, '--download-only', 'install', ...names];
  return unpack(label, release, download, (name) => !unused.test(name), target, remedy);
}
