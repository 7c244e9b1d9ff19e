/** @module The lines and the results of batches in the database. */

import type { Sql, SqlValue } from '../store/store.ts';
import { RECEIVING_MS } from './job-table.ts';
import type { Claim } from './lease-table.ts';
import type { Chunk, Line } from './lines.ts';
import { notify } from './watch.ts';

/** Stores lines of a batch that is received. @returns false if it is not receiving any more */
export async function insertChunks(
  sql: Sql,
  id: string,
  chunks: readonly Chunk[],
): Promise<boolean> {
  const rows = chunks.map(({ chunk, firstLine, lines }) => {
    return { chunk, first_line: firstLine, lines: lines.length, input: JSON.stringify(lines) };
  });
  const short = rows.filter(({ input }) => input.length < LONG);
  if (short.length > 0) {
    const made =
      'jsonb_to_recordset($3::jsonb) as made (chunk int, first_line int, lines int, input text)';
    if (!(await insertRows(sql, id, made, [JSON.stringify(short)]))) return false;
  }
  for (const { chunk, first_line, lines, input } of rows) {
    if (input.length < LONG) continue;
    const made =
      '(values ($3::int, $4::int, $5::int, $6::text)) as made (chunk, first_line, lines, input)';
    if (!(await insertRows(sql, id, made, [chunk, first_line, lines, input]))) return false;
  }
  return true;
}

/** Characters from which on a text is a parameter of its own: as a part of JSON it would take several times as long. */
const LONG = 64 * 1024;

/** @param made A table of rows, whose parameters begin with `$3`. */
async function insertRows(
  sql: Sql,
  id: string,
  made: string,
  values: readonly SqlValue[],
): Promise<boolean> {
  const alive = await sql.query(
    `with alive as (
       update jobs set lease_until = now() + $2::float8 * interval '1 millisecond'
       where id = $1 and status = 'receiving' returning id)
     insert into job_chunks (job_id, chunk, first_line, lines, input)
     select alive.id, made.chunk, made.first_line, made.lines, made.input
     from alive, ${made} returning chunk`,
    [id, RECEIVING_MS, ...values],
  );
  return alive.length > 0;
}

/** Keeps a batch that is received although no line of it has arrived. @returns as `insertChunks` */
export async function keepReceiving(sql: Sql, id: string): Promise<boolean> {
  const alive = await sql.query(
    `update jobs set lease_until = now() + $2::float8 * interval '1 millisecond'
     where id = $1 and status = 'receiving' returning id`,
    [id, RECEIVING_MS],
  );
  return alive.length > 0;
}

/** The first chunk after this one that has no results yet. */
export async function nextChunk(sql: Sql, id: string, after: number): Promise<Chunk | undefined> {
  const [row] = await sql.query<{ chunk: number; first_line: number; input: string }>(
    `select chunk, first_line, input from job_chunks
     where job_id = $1 and chunk > $2 and output is null order by chunk limit 1`,
    [id, after],
  );
  if (row === undefined) return undefined;
  const lines = JSON.parse(row.input) as readonly Line[];
  return { chunk: row.chunk, firstLine: row.first_line, lines };
}

/** The results of the lines of a chunk. */
export interface ChunkResults {
  readonly chunk: number;
  readonly lines: number;
  readonly failedLines: number;
  /** NDJSON, a line for each result. */
  readonly output: string;
}

/**
 * Stores the results of a chunk, once, and counts them as progress, in one statement.
 *
 * @returns false if the job is not this worker's any more
 */
export async function storeResults(
  sql: Sql,
  { id, attempt }: Claim,
  { chunk, lines, failedLines, output }: ChunkResults,
): Promise<boolean> {
  const stored = await sql.query(
    `with stored as (
       update job_chunks set output = $4, input = null
       where job_id = $1 and chunk = $3 and output is null
         and exists (select from jobs where id = $1 and attempts = $2 and status = 'running' for update)
       returning lines)
     update jobs set failures = 0,
       done_lines = done_lines + (select count(*) from stored) * $5::int,
       failed_lines = failed_lines + (select count(*) from stored) * $6::int
     where id = $1 and attempts = $2 and status = 'running' returning ${notify()}`,
    [id, attempt, chunk, output, lines, failedLines],
  );
  return stored.length > 0;
}

/** Results of a batch that follow each other. */
export interface StoredResults {
  readonly chunk: number;
  readonly output: string;
}

/**
 * The results of the first chunk after this one.
 *
 * @param next Whether it must be the one that follows, so that no line before it is missing.
 */
export async function readResults(
  sql: Sql,
  id: string,
  after: number,
  next: boolean,
): Promise<StoredResults | undefined> {
  const [row] = await sql.query<StoredResults>(
    `select chunk, output from job_chunks
     where job_id = $1 and chunk > $2 and (not $3 or chunk = $2 + 1) and output is not null
     order by chunk limit 1`,
    [id, after, next],
  );
  return row;
}
