//! What a browser lets a page do (W3C Content Security Policy, Trusted Types).

/// The policy of pages. There is no exception in it: no inline script or style, no evaluated text, no other
/// origin, and no text that becomes markup.
pub const PAGE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// The policy of the pages that check and print receipts: as [`PAGE`], and they may start this server's own worker.
pub const CHECKING_PAGE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker";

/// The policy of its worker, which takes it from its own answer and not from the page: it may compile Wasm, and it can
/// send nothing anywhere.
pub const WORKER: &str = "default-src 'none'; script-src 'wasm-unsafe-eval'; connect-src 'none'; \
     frame-ancestors 'none'";

/// The policy of every other file: it is nothing by itself.
pub const FILE: &str = "default-src 'none'; frame-ancestors 'none'";

/// What else a page is sent with: no window of another origin reaches it, and it may use no device.
pub const PAGE_HEADERS: [(&str, &str); 2] = [
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];
