-- Studies that nothing may be learnt from, whatever becomes of them in the PACS. The UID has to stay for that.
create table forgotten_study (
  study_instance_uid  text primary key,
  actor               text not null,
  reason              text not null,
  at                  timestamptz not null default now()
);
create or replace view pool_correction as
  select * from correction
  where withdrawn is null and not exists (
    select 1 from exclusion
    where exclusion.model_name = correction.model_name
      and exclusion.series_instance_uid = correction.series_instance_uid
  ) and not exists (
    select 1 from forgotten_study where forgotten_study.study_instance_uid = correction.study_instance_uid
  );
