create table routes (
  model text primary key references models (name),
  revision bigint not null,
  -- As clients wrote it; promotion and rollback change the weights.
  route jsonb not null,
  updated_at timestamptz not null default now()
);

-- A model's latest canary, which may have ended.
create table canaries (
  model text primary key references models (name),
  state text not null check (state in ('running', 'paused', 'promoted', 'rolled_back')),
  -- Index of the present step.
  step int not null,
  reason text,
  -- The period of the present step, and when it began.
  period bigint not null,
  since timestamptz not null,
  -- How often the guards have looked at the statistics, and the requests of the canary in this step at which they look next.
  looks int not null default 0,
  look_at bigint not null default 0
);

-- Statistics are counted by periods, whose numbers are from the same sequence as revisions. Those before an experiment has
-- begun are not kept.
create table experiments (
  model text primary key,
  first_period bigint not null
);

create table arms (
  model text not null,
  period bigint not null,
  -- 'stable' or 'canary' while there is a canary, 'shadow', otherwise the version.
  arm text not null,
  version text not null,
  requests bigint not null default 0,
  errors bigint not null default 0,
  confidences bigint not null default 0,
  confidence_sum double precision not null default 0,
  -- Of the shadow: the requests that were compared with it, and those in which it agreed.
  compared bigint not null default 0,
  agreed bigint not null default 0,
  max_abs_difference double precision,
  -- Outcomes that were reported: predictions that could be compared with the truth, and rewards.
  outcomes bigint not null default 0,
  judged bigint not null default 0,
  correct bigint not null default 0,
  rewards bigint not null default 0,
  reward_sum double precision not null default 0,
  reward_squares double precision not null default 0,
  primary key (model, period, arm, version)
);

-- Histograms of latencies; runtime/traffic/statistics/latencies.ts has the bounds of the buckets.
create table arm_latencies (
  model text not null,
  period bigint not null,
  arm text not null,
  version text not null,
  bucket int not null,
  requests bigint not null,
  primary key (model, period, arm, version, bucket)
);

-- Samples of requests whose shadow disagreed.
create table disagreements (
  id bigint generated always as identity primary key,
  model text not null,
  period bigint not null,
  request_id text not null,
  version text not null,
  shadow text not null,
  max_abs_difference double precision,
  outputs jsonb,
  shadow_outputs jsonb,
  inputs jsonb,
  at timestamptz not null default now()
);
create index disagreements_by_model on disagreements (model, id);

-- Requests for which an outcome may be reported.
create table answers (
  request_id text primary key,
  model text not null,
  period bigint not null,
  arm text not null,
  version text not null,
  prediction jsonb,
  -- The outcome that was reported last: how many predictions were compared with the truth, and how many were right.
  judged int,
  correct int,
  reward double precision,
  answered_at timestamptz not null
);
create index answers_by_age on answers (answered_at);

-- The last batch of statistics that each HTTP thread has written, so that a repeated one is not counted twice.
create table statistics_writers (
  writer text primary key,
  batch bigint not null,
  written_at timestamptz not null default now()
);
