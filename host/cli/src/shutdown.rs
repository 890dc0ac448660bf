//! When a long-running command ends: SIGTERM, Ctrl-C, or the death of the process that started it.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    signal::unix::{SignalKind, signal},
};

/// Whether a process outlives the one that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It runs until it is told to stop.
    Independent,
    /// Its standard input is a pipe held by its parent; it stops when the pipe closes, which the
    /// kernel does even where the parent is killed.
    WithParent,
}

/// Resolves once, when the process is to stop. Must be called inside the runtime.
pub fn requested(lifetime: Lifetime) -> Result<impl Future<Output = ()> + Send + use<>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
    let mut lifeline = match lifetime {
        Lifetime::Independent => None,
        Lifetime::WithParent => Some(lifeline()?),
    };
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM received, stopping"),
            _ = interrupt.recv() => tracing::info!("interrupted, stopping"),
            () = parent_gone(lifeline.as_mut()) => tracing::info!("the parent process is gone, stopping"),
        }
    })
}

fn lifeline() -> Result<pipe::Receiver> {
    let stdin = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .context("cannot read standard input")?;
    pipe::Receiver::from_owned_fd(stdin)
        .context("--exit-with-parent expects standard input to be a pipe held by the parent")
}

async fn parent_gone(lifeline: Option<&mut pipe::Receiver>) {
    let Some(lifeline) = lifeline else {
        return std::future::pending().await;
    };
    let mut byte = [0];
    // The parent writes nothing: the end of the pipe, or an error on it, means that it is gone.
    while matches!(lifeline.read(&mut byte).await, Ok(1..)) {}
}
