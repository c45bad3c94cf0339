mod leases;
mod results;
mod storms;
mod troubles;
mod waits;
