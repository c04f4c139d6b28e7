-- Every change of what serves has its reason; a pinned model keeps its version whatever rounds find.
alter table promotion
  add column reason text not null default '',
  add column taken_back_by text,
  add column taken_back_reason text;
create table model_pin (
  model_name  text primary key,
  actor       text not null,
  reason      text not null,
  since       timestamptz not null default now()
);
-- {actor, reason, at} of the person who refused a candidate that had passed the gate.
alter table training_round add column refusal jsonb;
