/** @module Lets one set-up of a checkout run at a time, and ends this one when its parent process ends. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { read, say, state } from './command.mjs';

/** Identifies a process uniquely: its number alone is reused, in a container soon. */
function identity(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The time it started, counted from the end of its name, which may hold anything.
    return `${pid} ${stat.slice(stat.lastIndexOf(')')).split(' ')[20]}`;
  } catch {
    return '';
  }
}

/** Does work while no other set-up of this checkout does any; a lock whose holder has died is taken over. */
export async function withLock(work) {
  const lock = path.join(state, 'setup.lock');
  const mine = `${lock}.${process.pid}`;
  const me = identity(process.pid);
  const release = () => {
    if (read(lock) === me) fs.rmSync(lock, { force: true });
    fs.rmSync(mine, { force: true });
  };
  fs.mkdirSync(state, { recursive: true });
  fs.writeFileSync(mine, me);
  process.on('exit', release);
  for (let waits = 0; ; waits++) {
    try {
      // A link is created together with its content, so a lock always names its holder.
      fs.linkSync(mine, lock);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const holder = read(lock);
      const [pid] = holder.split(' ');
      if (holder === '' || identity(pid) !== holder) fs.rmSync(lock, { force: true });
      else if (waits === 0) say(`waiting for another set-up of this checkout (process ${pid})`);
      await delay(200);
      continue;
    }
    // Another waiting set-up may have considered this lock stale and removed it.
    await delay(200);
    if (read(lock) === me) break;
  }
  await work();
  release();
}

/** Ends on a signal, and when the parent shell is gone: `npm start` ends only that shell. */
export function endWithParent() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => process.exit(128 + os.constants.signals[signal]));
  }
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(143), 200).unref();
}
