-- Models whose rounds an administrator has stopped, until they are let go on.
create table round_pause (
  model_name  text primary key,
  actor       text not null,
  reason      text not null,
  since       timestamptz not null default now()
);
