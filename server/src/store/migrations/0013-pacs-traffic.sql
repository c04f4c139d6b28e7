-- What each part of the server sent to the PACS and got from it, by day of the database's clock.
create table pacs_traffic (
  day date not null default current_date,
  part text not null check (part in ('viewer', 'server', 'infer', 'train')),
  requests bigint not null,
  received_bytes bigint not null,
  sent_bytes bigint not null,
  primary key (day, part)
);
