//! A whole network as separate processes on one machine.

mod network;
pub(crate) mod ports;
mod process;
mod ready;
mod site;

pub(crate) use network::{DevNetwork, DevPlan, Start};
pub(crate) use process::{Process, ProcessPlan, log_tail};
pub use ready::{Ready, ReadyBootnode, ReadyValidator};
pub(crate) use site::Site;
