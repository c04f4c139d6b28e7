-- How far the reader agreed with the model, segment by segment (null: neither shows it), on the slices vouched for.
alter table correction add column dice_by_segment double precision[] not null default '{}';
