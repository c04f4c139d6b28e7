-- Where a mask comes from that was made elsewhere: {sopClassUid, sopInstanceUid, seriesInstanceUid, sha256, structures,
-- resampled, everySlice}. Null: from the panel. Its object lies in the PACS already, so that one object may be the mask of
-- several models, of each once unless it was taken back.
alter table correction
  add column imported jsonb,
  drop constraint correction_seg_sop_instance_uid_key;
create unique index correction_object on correction (seg_sop_instance_uid) where imported is null;
create unique index correction_import on correction (model_name, seg_sop_instance_uid) where withdrawn is null;
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
