create table jobs (
  id text primary key,
  -- The order of creation, newest last.
  seq bigint generated always as identity unique,
  -- The subject of the caller; '' if requests are not authenticated.
  owner text not null,
  service text not null,
  path text not null,
  batch boolean not null,
  -- A batch is `receiving` while its lines arrive. Until then nobody sees it.
  status text not null check (
    status in ('receiving', 'queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired')
  ),
  -- JSON as the client wrote it, until the job has ended; null for a batch, whose lines are in job_chunks.
  body text,
  lines int not null,
  done_lines int not null default 0,
  failed_lines int not null default 0,
  -- How often it was started. Only the worker that has started it last can store something about it.
  attempts int not null default 0,
  -- How many attempts have failed since the last progress.
  failures int not null default 0,
  max_attempts int not null,
  -- Until then somebody runs or receives it; afterwards the server that did has stopped.
  lease_until timestamptz,
  worker text,
  run_after timestamptz not null default now(),
  start_by timestamptz,
  -- When it was given to the queue in Redis, since it was last queued.
  dispatched_at timestamptz,
  -- The response of the route: its HTTP status and its body.
  answer_status int,
  answer text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  delete_after timestamptz,
  idempotency_key text,
  -- SHA-256 of what was asked for.
  request text,
  webhook text,
  webhook_status text check (webhook_status in ('pending', 'delivered', 'failed')),
  webhook_attempts int not null default 0,
  -- When the webhook is sent next; null if it is not to be sent.
  webhook_at timestamptz
);
create index jobs_queued on jobs (run_after, seq) where status = 'queued';
create index jobs_starting on jobs (start_by) where status = 'queued' and start_by is not null;
create index jobs_leased on jobs (lease_until) where lease_until is not null;
create index jobs_by_owner on jobs (owner, seq);
create index jobs_by_status on jobs (status, seq);
create index jobs_ended on jobs (delete_after) where delete_after is not null;
create index jobs_webhooks on jobs (webhook_at) where webhook_at is not null;
create unique index jobs_by_key on jobs (owner, idempotency_key) where idempotency_key is not null;

-- The lines of batches, several in a row.
create table job_chunks (
  job_id text not null references jobs (id) on delete cascade,
  chunk int not null,
  first_line int not null,
  lines int not null,
  -- A JSON list, in which each item is a line as it was sent, or an object with the reason why it cannot be run.
  input text,
  -- The results as NDJSON, which replace the input.
  output text,
  primary key (job_id, chunk)
);
