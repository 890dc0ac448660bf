//! The binary as its users run it: real processes, real ports, real kills.

mod adversary;
mod authority;
mod bad_input;
mod byzantine;
mod catch_up;
mod command_line;
mod compile_plugin;
mod crash;
mod damage;
mod degradation;
mod dev;
mod election;
mod export;
mod floods;
mod full_disk;
mod hostile_client;
mod hostile_plugin;
mod membership;
mod network;
mod open_ballots;
mod openapi_fuzz;
mod operating;
mod plugin;
mod processes;
mod receipt;
mod shared_database;
