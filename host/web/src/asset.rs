//! One file as it is served.

use std::{io::Write, sync::OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::policy;

/// Smaller files are not compressed, in bytes.
const COMPRESSED_BYTES_MIN: usize = 512;

/// How long a browser may keep a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Forever: its address names its content.
    Forever,
    /// Until it has asked whether there is another.
    UntilAsked,
}

/// What a browser does with a file, which decides what the file may do there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It shows it.
    Page,
    /// It shows it, and starts the worker that checks for it.
    CheckingPage,
    /// It runs it beside a page, where Wasm may be compiled and nothing can be fetched.
    Worker,
    /// A page loads it.
    Part,
    /// It saves it, under this name.
    Download(&'static str),
}

impl Kind {
    /// Its name in the list of files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::CheckingPage => "checking-page",
            Self::Worker => "worker",
            Self::Part | Self::Download(_) => "file",
        }
    }

    /// The policy that it is sent under (W3C Content Security Policy).
    pub fn policy(self) -> &'static str {
        match self {
            Self::Page => policy::PAGE,
            Self::CheckingPage => policy::CHECKING_PAGE,
            Self::Worker => policy::WORKER,
            Self::Part | Self::Download(_) => policy::FILE,
        }
    }
}

/// How the bytes of an answer are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
}

/// A file as it is served.
#[derive(Debug, Clone)]
pub struct Asset {
    /// Its address; of a page about one thing, with `{id}` in it.
    pub path: String,
    /// What a browser does with it.
    pub kind: Kind,
    /// Its media type.
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// How long a browser may keep it.
    pub keep: Keep,
    /// Made when first asked for: a large file takes a while.
    gzip: OnceLock<Vec<u8>>,
    brotli: OnceLock<Vec<u8>>,
}

impl Asset {
    pub(crate) fn new(
        path: String,
        kind: Kind,
        content_type: &'static str,
        bytes: Vec<u8>,
        keep: Keep,
    ) -> Self {
        Self {
            path,
            kind,
            content_type,
            bytes,
            keep,
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
        }
    }

    /// Whether a browser shows it as a page.
    pub fn is_page(&self) -> bool {
        matches!(self.kind, Kind::Page | Kind::CheckingPage)
    }

    /// The headers that say what it is and what it may do, wherever it is sent.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("content-type", self.content_type.to_owned()),
            ("content-security-policy", self.kind.policy().to_owned()),
        ];
        if self.is_page() {
            headers.extend(policy::PAGE_HEADERS.map(|(name, value)| (name, value.to_owned())));
        }
        if let Kind::Download(name) = self.kind {
            headers.push((
                "content-disposition",
                format!("attachment; filename=\"{name}\""),
            ));
        }
        headers
    }

    /// The SHA-256 of its bytes, as hex.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.bytes))
    }

    /// What elements that load it name it by (W3C Subresource Integrity).
    pub(crate) fn integrity(&self) -> String {
        format!("sha256-{}", STANDARD.encode(Sha256::digest(&self.bytes)))
    }

    /// Its bytes in the best encoding that a request's `accept-encoding` allows.
    pub fn encoded(&self, accepted: &str) -> (Encoding, &[u8]) {
        if self.bytes.len() < COMPRESSED_BYTES_MIN {
            return (Encoding::Identity, &self.bytes);
        }
        if accepts(accepted, "br") {
            let bytes = self.brotli.get_or_init(|| brotli(&self.bytes));
            return (Encoding::Brotli, bytes);
        }
        if accepts(accepted, "gzip") {
            let bytes = self.gzip.get_or_init(|| gzip(&self.bytes));
            return (Encoding::Gzip, bytes);
        }
        (Encoding::Identity, &self.bytes)
    }
}

/// Whether a header allows this coding (RFC 9110, 12.5.3).
fn accepts(header: &str, coding: &str) -> bool {
    header.split(',').any(|part| {
        let mut parts = part.split(';').map(str::trim);
        let is_it = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let is_refused = parts.any(|parameter| {
            let quality = parameter.strip_prefix("q=");
            quality.and_then(|q| q.parse::<f32>().ok()) == Some(0.0)
        });
        is_it && !is_refused
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder
        .write_all(bytes)
        .expect("memory takes what is written");
    encoder.finish().expect("memory takes what is written")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 9,
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*bytes, &mut out, &parameters)
        .expect("memory takes what is written");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_encoding_that_a_client_takes_is_sent() {
        let text = "a page ".repeat(200).into_bytes();
        let asset = Asset::new(
            "/a".into(),
            Kind::Page,
            "text/html",
            text.clone(),
            Keep::UntilAsked,
        );
        let check = |accepted: &str, expected: Encoding| {
            assert_eq!(asset.encoded(accepted).0, expected, "{accepted:?}");
        };
        check("gzip, deflate, br", Encoding::Brotli);
        check("br;q=0, GZIP;q=0.5", Encoding::Gzip);
        check("gzip;q=0", Encoding::Identity);
        check("", Encoding::Identity);
        check("*", Encoding::Identity);
        assert_eq!(asset.encoded("").1, text);
        let small = Asset::new(
            "/b".into(),
            Kind::Part,
            "text/css",
            b"a{}".to_vec(),
            Keep::Forever,
        );
        assert_eq!(small.encoded("br").0, Encoding::Identity);
    }
}
