-- The report with the volumes of a correction's mask, named before it is stored as the SEG is. Null: corrections made
-- before there were reports. They get none: an upgrade writes nothing into a PACS about work that is done.
alter table correction
  add column sr_sop_instance_uid text unique,
  add column sr_series_instance_uid text,
  add check ((sr_sop_instance_uid is null) = (sr_series_instance_uid is null));
-- A view keeps the columns that its table had when it was made.
create or replace view pool_correction as
  select * from correction
  where withdrawn is null and not exists (
    select 1 from exclusion
    where exclusion.model_name = correction.model_name
      and exclusion.series_instance_uid = correction.series_instance_uid
  ) and not exists (
    select 1 from forgotten_study where forgotten_study.study_instance_uid = correction.study_instance_uid
  );
