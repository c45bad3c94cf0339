mod leases;
mod results;
mod troubles;
mod waits;
