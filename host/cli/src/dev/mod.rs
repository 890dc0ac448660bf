//! A whole network as separate processes on one machine.

mod network;
pub mod ports;
mod process;
mod ready;
mod site;

pub use network::{DevNetwork, DevPlan, Start};
pub use process::{Process, ProcessPlan, log_tail};
pub use ready::{Ready, ReadyBootnode, ReadyValidator};
pub use site::Site;
