//! The pages on which people vote, watch and look up: fixed files, made once from the source alone.
//!
//! - `pages`: the markup of each page, filled with the words of one language;
//! - `script`, `style`: modules and style sheet, served as they stand in the repository;
//! - `verifier`: what checks receipts, compiled to Wasm while this crate is built; `worker`: what runs it beside a page;
//! - `text`: one catalogue of words for each language;
//! - [`policy`]: what a browser lets a page do.
//!
//! A page is the same for every reader and every election: what differs is fetched by its modules from the
//! REST API. So the SHA-256 of each file follows from the source, and anybody can compare what a server sends.
//!
//! ```
//! let site = tabella_web::site();
//! let page = site.find("/en/elections/7/vote").expect("a page");
//! assert_eq!(page.path, "/en/elections/{id}/vote");
//! assert!(site.find("/en/nowhere").is_none());
//! ```

mod asset;
mod files;
mod kept;
mod language;
mod pages;
mod parts;
pub mod policy;
mod site;
mod text;

pub use asset::{Asset, Encoding, Keep, Kind};
pub use language::{Language, best_language};
pub use site::{Site, site};
