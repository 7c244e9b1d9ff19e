-- Every change takes one number for all that it touches, so that the revision of something that was deleted and made
-- again is never one that it had before.
create sequence catalog_revision;

create table models (
  -- Names are compared byte by byte, as the server does.
  name text collate "C" primary key,
  revision bigint not null,
  -- "all", {"latest": N} or {"specific": ["v1.0", …]}
  version_policy jsonb not null default '"all"',
  created_at timestamptz not null default now(),
  created_by text not null
);

-- A version that was archived or purged keeps its row, because its name is never used again.
create table model_versions (
  model text collate "C" not null references models (name),
  version text collate "C" not null,
  state text not null check (state in ('registered', 'validating', 'ready', 'rejected', 'archived')),
  -- Which registration the row belongs to: a later one of the same name, after a rejection, has another claim.
  claim bigint not null,
  -- Until then a server works on the version that is registered or validating; afterwards it has stopped.
  lease_until timestamptz,
  purged_at timestamptz,
  reason text,
  digest text not null,
  bytes bigint not null,
  signature_status text not null,
  signature jsonb,
  metadata jsonb not null,
  config jsonb,
  inputs jsonb,
  outputs jsonb,
  costs jsonb,
  created_at timestamptz not null default now(),
  created_by text not null,
  primary key (model, version)
);
create index model_versions_by_digest on model_versions (digest);
create index model_versions_in_work on model_versions (lease_until) where lease_until is not null;

create table model_labels (
  model text collate "C" not null references models (name),
  label text collate "C" not null,
  version text not null,
  -- The version that it named before; null if there was none.
  previous text,
  revision bigint not null,
  updated_at timestamptz not null default now(),
  primary key (model, label)
);

-- Artifacts that may have lost their last reference. Whoever deletes one looks for references once more, under its lock.
create table artifact_garbage (
  digest text primary key,
  since timestamptz not null default now()
);

create table catalog_events (
  id bigint generated always as identity primary key,
  model text not null,
  who text not null,
  what text not null,
  before jsonb,
  after jsonb,
  at timestamptz not null default now()
);
create index catalog_events_by_model on catalog_events (model, id);

-- Results of changes that a client may ask for again, by the key that it chose. A result is stored with its change.
create table idempotency_keys (
  owner text not null,
  key text not null,
  -- SHA-256 of what was asked for.
  request text not null,
  result jsonb not null,
  created_at timestamptz not null default now(),
  primary key (owner, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);
