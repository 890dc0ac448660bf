//! The built-in rules as Wasm, compiled by this crate's build and embedded.
//!
//! The same sources and toolchain give the same bytes wherever they are built, so that anyone can
//! check which source a plugin on a chain came from.
//!
//! ```
//! let rule = tabella_plugins::get("instant-runoff").expect("a built-in rule");
//! assert!(rule.wasm.starts_with(b"\0asm"));
//! ```

/// A built-in rule.
#[derive(Debug)]
pub struct Builtin {
    /// Its name, as in its manifest.
    pub name: &'static str,
    /// Its module.
    pub wasm: &'static [u8],
}

static BUILTINS: &[Builtin] = include!(concat!(env!("OUT_DIR"), "/builtins.rs"));

/// Every built-in rule, by name in alphabetical order.
pub fn all() -> &'static [Builtin] {
    BUILTINS
}

/// The built-in rule of that name.
pub fn get(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|rule| rule.name == name)
}
