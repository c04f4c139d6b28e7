-- {actor, reason, at}: a submission taken back; a correction that an administrator prefers to newer ones of its series.
alter table correction add column withdrawn jsonb, add column preferred jsonb;
-- Series that rounds of a model leave alone, corrected or not.
create table exclusion (
  model_name           text not null,
  series_instance_uid  text not null,
  study_instance_uid   text not null,
  actor                text not null,
  reason               text not null,
  since                timestamptz not null default now(),
  primary key (model_name, series_instance_uid)
);
-- What learning knows of corrections: nothing of those withdrawn, nothing of excluded series.
create view pool_correction as
  select * from correction
  where withdrawn is null and not exists (
    select 1 from exclusion
    where exclusion.model_name = correction.model_name
      and exclusion.series_instance_uid = correction.series_instance_uid
  );
