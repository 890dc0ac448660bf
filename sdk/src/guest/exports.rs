//! The exports of the ABI over a [`Guest`]: addresses in, addresses out.
#![allow(unsafe_code)]

use alloc::vec::Vec;
use core::cell::UnsafeCell;

use crate::{Guest, Rule};

/// The one instance of a plugin, with the buffers it shares with its host.
#[doc(hidden)]
pub struct Cell<R: Rule>(UnsafeCell<State<R>>);

struct State<R: Rule> {
    guest: Guest<R>,
    input: Vec<u8>,
    output: Vec<u8>,
}

// SAFETY: a plugin has no threads, and none of its exports calls another.
unsafe impl<R: Rule> Sync for Cell<R> {}

impl<R: Rule> Cell<R> {
    pub const fn new() -> Self {
        let state = State {
            guest: Guest::new(),
            input: Vec::new(),
            output: Vec::new(),
        };
        Self(UnsafeCell::new(state))
    }

    #[allow(clippy::mut_from_ref)]
    fn state(&self) -> &mut State<R> {
        #[cfg(feature = "std")]
        super::panic::keep_message();
        // SAFETY: no other reference lives, because each export takes one and ends it.
        unsafe { &mut *self.0.get() }
    }

    pub fn buffer(&self, len: usize) -> *mut u8 {
        let input = &mut self.state().input;
        input.clear();
        input.resize(len, 0);
        input.as_mut_ptr()
    }

    pub fn describe(&self) -> u64 {
        self.state().answer(Guest::<R>::describe().into_bytes())
    }

    pub fn configure(&self, len: usize) -> u32 {
        let State { guest, input, .. } = self.state();
        guest.configure(&input[..len])
    }

    pub fn validate(&self, len: usize) -> u32 {
        let State { guest, input, .. } = self.state();
        guest.validate(&input[..len])
    }

    pub fn fold(&self, len: usize) -> u32 {
        let State { guest, input, .. } = self.state();
        guest.fold(&input[..len])
    }

    pub fn merge(&self, len: usize) -> u32 {
        let State { guest, input, .. } = self.state();
        guest.merge(&input[..len])
    }

    pub fn save(&self) -> u64 {
        let state = self.state();
        let saved = state.guest.save();
        state.answer(saved)
    }

    pub fn finish(&self, len: usize) -> u64 {
        let state = self.state();
        let outcome = state.guest.finish(&state.input[..len]);
        state.answer(outcome)
    }

    pub fn message(&self) -> u64 {
        match super::panic::message() {
            [] => place(self.state().guest.message().as_bytes()),
            panic => place(panic),
        }
    }
}

impl<R: Rule> State<R> {
    fn answer(&mut self, bytes: Vec<u8>) -> u64 {
        self.output = bytes;
        place(&self.output)
    }
}

/// Address and length in one integer, because a second result is not everywhere at hand.
fn place(bytes: &[u8]) -> u64 {
    (bytes.as_ptr() as u64) << 32 | bytes.len() as u64
}
