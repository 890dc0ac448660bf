//! The files that are served as they stand in the repository.

/// A file: its path under the set's own address, and what it holds.
pub(crate) struct File {
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($content_type:ident $path:literal)*) => {
        &[$(File {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../", $path)),
        }),*]
    };
}

const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// Every file, in the order of its path.
pub(crate) const FILES: &[File] = files! {
    SCRIPT "script/api.js"
    SCRIPT "script/ballots/choice.js"
    SCRIPT "script/ballots/contest.js"
    SCRIPT "script/ballots/grades.js"
    SCRIPT "script/ballots/numbers.js"
    SCRIPT "script/ballots/parts.js"
    SCRIPT "script/ballots/ranking.js"
    SCRIPT "script/ballots/raw.js"
    SCRIPT "script/booth.js"
    SCRIPT "script/check/files.js"
    SCRIPT "script/check/own-ballot.js"
    SCRIPT "script/check/verdict.js"
    SCRIPT "script/check/verifier.js"
    SCRIPT "script/dom.js"
    SCRIPT "script/election-state.js"
    SCRIPT "script/events.js"
    SCRIPT "script/forms.js"
    SCRIPT "script/hash.js"
    SCRIPT "script/network.js"
    SCRIPT "script/page-about.js"
    SCRIPT "script/page-account.js"
    SCRIPT "script/page-ballot.js"
    SCRIPT "script/page-block.js"
    SCRIPT "script/page-chain.js"
    SCRIPT "script/page-check.js"
    SCRIPT "script/page-election.js"
    SCRIPT "script/page-home.js"
    SCRIPT "script/page-not-found.js"
    SCRIPT "script/page-results.js"
    SCRIPT "script/page-vote.js"
    SCRIPT "script/paper.js"
    SCRIPT "script/problem.js"
    SCRIPT "script/results/options.js"
    SCRIPT "script/results/pairwise.js"
    SCRIPT "script/results/rounds.js"
    SCRIPT "script/review.js"
    SCRIPT "script/session.js"
    SCRIPT "script/shell.js"
    SCRIPT "script/sign-in.js"
    SCRIPT "script/standing.js"
    SCRIPT "script/store.js"
    SCRIPT "script/text.js"
    PICTURE "style/mark.svg"
    STYLE "style/tabella.css"
    SCRIPT "worker/verify.js"
};

/// What the worker runs, as the build made it.
pub(crate) const VERIFIER: File = File {
    path: "verifier.wasm",
    content_type: "application/wasm",
    bytes: include_bytes!(concat!(env!("OUT_DIR"), "/verifier.wasm")),
};

/// The worker itself: one file without imports.
pub(crate) const WORKER: &str = "worker/verify.js";
