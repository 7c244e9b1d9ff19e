/** @module Header packages from Debian, without touching the machine's own apt state. */
import fs from 'node:fs';
import path from 'node:path';
import { execute, read, SetupError, state } from './command.mjs';

/** The source from which this machine gets Debian packages, as a deb822 stanza for trixie. */
function trixieSource() {
  const field = (stanza, name) => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(stanza)?.[1];
  const stanza = read('/etc/apt/sources.list.d/debian.sources')
    .split(/\n\s*\n/)
    .find((text) => /^URIs:(?!.*security)/m.test(text));
  const line = /^deb\s+(?:\[.*?\]\s+)?(\S+\/debian\/?)\s/m.exec(read('/etc/apt/sources.list'));
  const uri = stanza ? field(stanza, 'URIs') : line?.[1];
  if (!uri) throw new SetupError('this machine has no Debian package source');
  const key =
    (stanza && field(stanza, 'Signed-By')) ?? '/usr/share/keyrings/debian-archive-keyring.gpg';
  return `Types: deb\nURIs: ${uri}\nSuites: trixie\nComponents: main\nSigned-By: ${key}\n`;
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
 * Unpacks a package of Debian 13 into `target`, whole or not at all. Debian checks its signature.
 *
 * @param remedy What to do if this cannot work, as the end of a sentence.
 * @throws {SetupError} Without a network, on another distribution, or without apt.
 */
export async function unpackPackage(label, name, target, remedy) {
  const work = fs.mkdtempSync(path.join(state, 'apt-'));
  const options = aptOptions(work);
  try {
    for (const folder of ['parts', 'lists/partial', 'cache/archives/partial', 'tree']) {
      fs.mkdirSync(path.join(work, folder), { recursive: true });
    }
    fs.writeFileSync(path.join(work, 'parts', 'trixie.sources'), trixieSource());
    await execute(label, 'apt-get', [...options, 'update'], work);
    await execute(label, 'apt-get', [...options, 'download', name], work);
    const file = fs.readdirSync(work).find((entry) => entry.endsWith('.deb'));
    await execute(label, 'dpkg', ['-x', path.join(work, file), path.join(work, 'tree')]);
    fs.rmSync(target, { recursive: true, force: true });
    fs.renameSync(path.join(work, 'tree'), target);
  } catch (error) {
    throw new SetupError(`${label} could not be fetched (${error.message}): ${remedy}`);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}
