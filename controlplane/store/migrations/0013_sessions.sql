-- Not yet.
select 1;
