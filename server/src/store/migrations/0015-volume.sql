-- Which volume of a series that holds several (echoes, b-values, time points), as the refusal `series-several-volumes`
-- names it; empty where the series holds one. Each is a case of its own.
alter table study_case
  add column volume text not null default '',
  drop constraint study_case_pkey,
  add primary key (series_instance_uid, volume, model_name);
alter table prediction add column volume text not null default '';
alter table correction add column volume text not null default '';
drop index correction_series;
create index correction_series on correction (model_name, series_instance_uid, volume, seq desc);
-- Empty: the series with all its volumes.
alter table exclusion
  add column volume text not null default '',
  drop constraint exclusion_pkey,
  add primary key (model_name, series_instance_uid, volume);
-- A view keeps the columns that its table had when it was made.
create or replace view pool_correction as
  select * from correction
  where withdrawn is null and not exists (
    select 1 from exclusion
    where exclusion.model_name = correction.model_name
      and exclusion.series_instance_uid = correction.series_instance_uid
      and exclusion.volume in ('', correction.volume)
  ) and not exists (
    select 1 from forgotten_study where forgotten_study.study_instance_uid = correction.study_instance_uid
  );
