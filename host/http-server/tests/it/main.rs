//! The server over real sockets, with clients that behave and clients that do not.

mod adversary;
mod client;
mod stopping;
