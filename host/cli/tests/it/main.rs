//! The binary as its users run it: real processes, real ports, real kills.

mod bad_input;
mod byzantine;
mod command_line;
mod compile_plugin;
mod crash;
mod degradation;
mod dev;
mod election;
mod hostile_plugin;
mod membership;
mod network;
mod operating;
mod plugin;
mod processes;
mod receipt;
