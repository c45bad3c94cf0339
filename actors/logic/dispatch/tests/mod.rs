mod leases;
mod obstacles;
mod restart;
mod results;
mod sick;
mod storms;
mod troubles;
mod waits;
