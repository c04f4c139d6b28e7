-- What started a round: corrections enough, its hour after a wait, or a person.
alter table training_round add column trigger text not null default 'corrections'
  check (trigger in ('corrections', 'clock', 'person'));
