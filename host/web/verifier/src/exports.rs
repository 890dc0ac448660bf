//! How a page's worker calls the module: it asks for room, writes its request there, and reads the answer.

#![cfg(target_arch = "wasm32")]
// The linker's names are the interface; there is no other unsafe line here.
#![allow(unsafe_code)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{answer, fields};

/// The request that is written, and then the answer to it.
static BYTES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn bytes() -> MutexGuard<'static, Vec<u8>> {
    BYTES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes room for a request of so many bytes, and returns where it is written.
#[unsafe(no_mangle)]
extern "C" fn room(length: usize) -> *mut u8 {
    let mut bytes = bytes();
    bytes.clear();
    bytes.resize(length, 0);
    bytes.as_mut_ptr()
}

/// Answers the request, and returns how long the answer is.
#[unsafe(no_mangle)]
extern "C" fn ask() -> usize {
    let mut bytes = bytes();
    let request = fields(&bytes).unwrap_or_default();
    let text = answer(&request).to_string();
    *bytes = text.into_bytes();
    bytes.len()
}

/// Returns where the answer is.
#[unsafe(no_mangle)]
extern "C" fn answered() -> *const u8 {
    bytes().as_ptr()
}
