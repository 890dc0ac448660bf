//! Real networks of validators in one process, on loopback ports of the system's choice.

mod byzantine;
mod chain;
mod crash;
mod evidence;
mod full_disk;
mod network;
mod no_vote;
mod partition;
mod strangers;
mod throughput;
mod validators;
