-- Blob of the gzip envelope that GET .../uncertainty sends: hundredths of normalised entropy, a byte a voxel.
alter table prediction add column uncertainty_sha256 char(64);
