//! All pages, as a browser is sent them.

mod list;
mod markup;
mod pages;
mod scripts;
