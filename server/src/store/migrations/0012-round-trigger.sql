-- What started a round: corrections enough, its hour after a wait, or a person.
alter table training_round add column trigger text check (trigger in ('corrections', 'clock', 'person'));
-- Of earlier rounds only that is known which a person asked for.
update training_round set trigger = case when job.owner = 'server' then 'corrections' else 'person' end
  from job_progress job where job.id = training_round.job_id;
alter table training_round alter column trigger set not null;
