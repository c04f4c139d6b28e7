-- Whose series was segmented is looked up with the inference, so that a correction can be taken in while the PACS is down.
alter table prediction add column subject_key char(64) references subject (key);
