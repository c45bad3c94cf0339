mod leases;
mod restart;
mod results;
mod sick;
mod storms;
mod troubles;
mod waits;
