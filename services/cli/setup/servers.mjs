/** @module PostgreSQL and Redis for the tests, on machines that do not have them. Nothing is installed or started. */
import fs from 'node:fs';
import path from 'node:path';
import { state } from './command.mjs';
import { unpackPrograms } from './debian.mjs';

const servers = path.join(state, 'servers');

const hasPostgres = (top) =>
  fs
    .readdirSync(path.join(top, 'usr/lib/postgresql'), { withFileTypes: true })
    .some(({ name }) => fs.existsSync(path.join(top, 'usr/lib/postgresql', name, 'bin/initdb')));

/** Whether one of the folders, which are laid out like the top folder of a system, has both servers. */
export const hasServers = () =>
  ['/', servers].some(
    (top) =>
      fs.existsSync(path.join(top, 'usr/bin/redis-server')) &&
      fs.existsSync(path.join(top, 'usr/lib/postgresql')) &&
      hasPostgres(top),
  );

export const unpackServers = (label) =>
  unpackPrograms(
    label,
    ['postgresql', 'redis-server'],
    // The compiler of queries and scripts for administrators, a quarter of a gigabyte.
    /^(?:libllvm|libz3|libperl|perl|locales)/,
    servers,
    'go online, or install the Debian packages postgresql and redis-server',
  );
