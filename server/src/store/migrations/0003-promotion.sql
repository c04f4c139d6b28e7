-- Who put which version in service, and what served before: the latest can be taken back.
create table promotion (
  seq            bigint generated always as identity primary key,
  name           text not null,
  version        integer not null,
  previous       integer not null,
  actor          text not null,
  promoted_at    timestamptz not null default now(),
  taken_back_at  timestamptz
);
create index promotion_standing on promotion (name, seq) where taken_back_at is null;
