-- Who has a case of a worklist open, and by which order it was offered. It counts for half an hour (worklist/facts.ts).
create table case_claim (
  model_name           text not null,
  series_instance_uid  text not null,
  study_instance_uid   text not null,
  reader               text not null,
  order_used           text not null check (order_used in ('uncertainty', 'random', 'worklist')),
  -- Place in that order, 1 = first.
  rank                 integer not null,
  claimed_at           timestamptz not null default now(),
  -- When its reader went on to another case: free for others, and offered to this reader only when nothing else is left.
  released_at          timestamptz,
  primary key (model_name, series_instance_uid)
);
create index prediction_model on prediction (model_name, series_instance_uid, created_at desc);
