/** @module `millrace jobs`, `bench` and `doctor` against a running gateway. */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type CommandLine, commandLine } from './support.ts';

const ROW = '{"features":[5.1,3.5,1.4,0.2]}';
const TARGET = ['--service', 'prediction', '--path', '/predict'];

describe('with a gateway', () => {
  let cli: CommandLine;
  before(async () => {
    cli = await commandLine();
  });
  after(() => cli[Symbol.asyncDispose]());

  test('jobs submit waits for the result, which show and list have, too', async () => {
    const job = await cli.json('jobs', 'submit', ...TARGET, '--body', ROW, '--wait');
    assert.equal(job.status, 'succeeded');
    assert.equal(job.result.prediction, 'setosa');
    const shown = await cli.json('jobs', 'show', job.job_id);
    assert.deepEqual(shown.result, job.result);
    const listed = await cli.json('jobs', 'list', '--status', 'succeeded');
    assert.ok(listed.some(({ job_id }: { job_id: string }) => job_id === job.job_id));
    assert.match(await cli.text('jobs', 'list'), /^job\tstatus\t/);
  });

  test('the same idempotency key gives the same job', async () => {
    const submit = () =>
      cli.text('jobs', 'submit', ...TARGET, '--body', ROW, '--idempotency-key', 'once');
    assert.equal(await submit(), await submit());
  });

  test('jobs results prints the lines of a batch in order', async () => {
    const file = path.join(cli.folder, 'rows.ndjson');
    writeFileSync(file, `${ROW}\nnot json\n${ROW}\n`);
    const id = (await cli.text('jobs', 'submit', ...TARGET, '--batch', file)).trim();
    const lines = (await cli.text('jobs', 'results', id)).trimEnd().split('\n');
    const results = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      results.map(({ index, status }) => [index, status]),
      [
        [0, 200],
        [1, 400],
        [2, 200],
      ],
    );
  });

  test('jobs cancel ends a job that has not ended', async () => {
    const slow = await cli.run('jobs', 'cancel', 'job_of_nobody');
    assert.equal(slow.code, 1);
    assert.match(slow.stderr, /no such job/i);
  });

  test('a job that fails ends submit --wait with 1', async () => {
    const body = ['--body', '{"features":"none"}'];
    const { code, stdout } = await cli.run(
      'jobs',
      'submit',
      ...TARGET,
      ...body,
      '--wait',
      '--json',
    );
    assert.equal(code, 1);
    assert.equal(JSON.parse(stdout).status, 'failed');
  });

  test('bench reports a closed and an open loop, and fails an objective that is missed', async () => {
    const load = ['bench', '--seconds', '0.3', '--connections', '2'];
    const closed = await cli.json(...load);
    assert.ok(closed.requests > 0 && closed.failed === 0 && closed.p99_ms > 0);
    const open = await cli.json(...load, '--rate', '50');
    assert.equal(open.loop, 'open');
    assert.ok(open.requests > 0 && open.requests < 100, `${open.requests} requests`);
    const { code, stderr } = await cli.run(...load, '--slo-p99-ms', '0.0001');
    assert.equal(code, 1);
    assert.match(stderr, /objective is 0\.0001 ms/);
  });

  test('doctor finds the server, and shows no secret', async () => {
    const { checks, settings } = await cli.json('doctor');
    const stateOf = (name: string) =>
      checks.find((check: { name: string }) => check.name === name).state;
    assert.equal(stateOf('server'), 'ok');
    assert.equal(stateOf('engine'), 'ok');
    assert.ok(settings.some(({ name }: { name: string }) => name === 'STATE_DIR'));
    assert.match(await cli.text('doctor'), /^setting\tvalue\tfrom$/m);
  });

  for (const [args, code, message] of [
    [['jobs', 'submit', ...TARGET], 2, /one of --body, --batch and --images/],
    [['jobs', 'submit', '--service', 'admin', '--path', '/x', '--body', '{}'], 1, /service/],
    [['jobs', 'show', 'nothing'], 1, /no such job/i],
    [['jobs', 'list', '--status', 'odd'], 1, /status/],
    [['bench', '--url', 'http://127.0.0.1:1', '--seconds', '0.1'], 3, /No server responds/],
  ] as const) {
    test(`${args.join(' ')} ends with ${code}`, async () => {
      const { code: ended, stderr } = await cli.run(...args);
      assert.equal(ended, code, stderr);
      assert.match(stderr, message);
    });
  }
});
