mod leases;
mod restart;
mod results;
mod storms;
mod troubles;
mod waits;
