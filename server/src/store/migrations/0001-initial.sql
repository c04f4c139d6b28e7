-- Versions made in service and which version of a model serves. Seeds are folders of the repository, not rows.
create table model_version (
  name        text not null,
  version     integer not null,
  sha256      char(64) not null,
  parent      integer,
  round_id    uuid,
  created_at  timestamptz not null default now(),
  primary key (name, version)
);
create table model_alias (
  name        text primary key,
  version     integer not null,
  moved_at    timestamptz not null default now()
);

-- A patient, known only by a keyed hash; the decision to keep the patient apart from training is made once.
create table subject (
  key         char(64) primary key,
  held_out    boolean not null,
  decided_at  timestamptz not null default now()
);

-- One series under one model: what the tracking UID stays the same for.
create table study_case (
  series_instance_uid text not null,
  model_name          text not null,
  study_instance_uid  text not null,
  tracking_uid        text not null,
  created_at          timestamptz not null default now(),
  primary key (series_instance_uid, model_name)
);

-- State of a job as clients see it; the queue's own tables are the queue library's.
create table job_progress (
  id           uuid primary key,
  kind         text not null,
  owner        text not null,
  state        text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  stage        text not null default '',
  percent      double precision not null default 0,
  seconds_left double precision,
  figures      jsonb not null default '{}',
  error        jsonb,
  -- Grows with every change: the event id of the stream.
  seq          bigint not null default 1,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now()
);

create table prediction (
  id                   uuid primary key,
  job_id               uuid not null references job_progress (id),
  study_instance_uid   text not null,
  series_instance_uid  text not null,
  model_name           text not null,
  model_version        integer not null,
  model_sha256         char(64) not null,
  tracking_uid         text not null,
  requested_by         text not null,
  idempotency_key      text,
  request_sha256       char(64) not null,
  -- Blob of the gzip envelope that GET .../labelmap sends; null until the job is done.
  labelmap_sha256      char(64),
  -- segments, uncertainty, timingsMs, notes
  result               jsonb,
  created_at           timestamptz not null default now(),
  unique (requested_by, idempotency_key)
);
create index prediction_series on prediction (series_instance_uid, created_at desc);

create table training_round (
  id                  uuid primary key,
  job_id              uuid not null references job_progress (id),
  model_name          text not null,
  from_version        integer not null,
  to_version          integer,
  state               text not null default 'planned'
                      check (state in ('planned', 'training', 'evaluating', 'done', 'failed')),
  labelled_slices     integer not null default 0,
  replay_slices       integer not null default 0,
  unlabelled_slices   integer not null default 0,
  generalized_teacher text not null default '',
  -- Everything the round works on, fixed when it is planned: a restarted round does the same work.
  plan                jsonb,
  verdict             jsonb,
  error               jsonb,
  created_at          timestamptz not null default now(),
  started_at          timestamptz,
  finished_at         timestamptz
);
create index training_round_model on training_round (model_name, created_at desc);

-- A reader's final labelmap. Append-only but for the state of its SEG and the first round that used it.
create table correction (
  id                      uuid primary key,
  prediction_id           uuid not null references prediction (id),
  -- The PACS object is named before it is stored, so that a repeated store can never make a second one.
  seg_sop_instance_uid    text not null unique,
  seg_series_instance_uid text not null,
  seg_series_description  text not null,
  seg_sha256              char(64),
  state                   text not null default 'storing' check (state in ('storing', 'stored')),
  export_job_id           uuid references job_progress (id),
  reader                  text not null,
  idempotency_key         text not null,
  body_sha256             char(64) not null,
  kind                    text not null check (kind in ('edited', 'accepted')),
  labelmap_sha256         char(64) not null,
  approved_slices         text[] not null check (cardinality(approved_slices) > 0),
  changed_voxels          integer not null,
  dice                    double precision,
  notes                   text[] not null default '{}',
  study_instance_uid      text not null,
  series_instance_uid     text not null,
  model_name              text not null,
  model_version           integer not null,
  tracking_uid            text not null,
  subject_key             char(64) not null references subject (key),
  held_out                boolean not null,
  used_in_round           uuid references training_round (id),
  created_at              timestamptz not null default now(),
  stored_at               timestamptz,
  -- Orders corrections made within one clock tick.
  seq                     bigint generated always as identity,
  unique (reader, idempotency_key)
);
create index correction_series on correction (model_name, series_instance_uid, seq desc);
create index correction_storing on correction (state) where state = 'storing';

create table audit (
  seq     bigint generated always as identity primary key,
  at      timestamptz not null default now(),
  actor   text not null,
  action  text not null,
  object  jsonb not null
);
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'audit rows are never changed';
end $$;
create trigger audit_append_only before update or delete or truncate on audit
  for each statement execute function refuse_change();
