//! Serves HTTP to strangers: what one connection, one address and all together can hold is bounded.
//!
//! Backend, validators and bootnode serve their routes through [`Server`]. A connection that sends its
//! head or body too slowly, does not read its answer, or does nothing is closed; when there is no room
//! for a newcomer, those that wait longest make it. Every bound is in [`Bounds`] or a constant here.
//!
//! - `bounds`: the configuration.
//! - `room`: who is connected, who is let in, who has to go.
//! - `connection`: what one connection is at, and its socket.
//! - `exchange`: one request and its answer.
//! - `serve`: accepting, and stopping in order.
//! - `listen`: the listening socket, and the limit of open files.
//! - `counts`: what is counted of connections.
//! - `metrics`: how metrics are kept and answered.
//! - `queue`: turns by address for costly work.
//! - `shared_run`: costly work that anybody may ask for.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use tabella_http_server::{Bounds, Server, listen};
//!
//! let router = axum::Router::new().route("/", axum::routing::get(async || "here\n"));
//! let listener = listen("127.0.0.1:8000".parse().expect("an address"))?;
//! let server = Server::new(Bounds::default());
//! let stop = async { drop(tokio::signal::ctrl_c().await) };
//! server.serve(listener, router, stop, std::time::Duration::from_secs(5)).await
//! # }
//! ```

mod bounds;
mod connection;
mod counts;
mod exchange;
mod listen;
pub mod metrics;
mod pieces;
mod queue;
mod room;
mod serve;
mod shared_run;

pub use bounds::Bounds;
pub use counts::Counts;
pub use exchange::{BodyError, Receiving};
pub use listen::{FILES_RESERVED, LISTEN_BACKLOG, listen};
pub use pieces::pieces;
pub use queue::{Busy, Queue, QueueBounds, Trusted, Turn};
pub use room::subscriber;
pub use serve::{HEAD_BYTES_MAX, HEADERS_MAX, Server};
pub use shared_run::{Freshness, RunFailed, SharedRun};
