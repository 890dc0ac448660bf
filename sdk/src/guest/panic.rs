//! Panics keep their message: it is written where `message` finds it, then the plugin traps.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::fmt::{self, Write};

const BYTES_MAX: usize = 512;

struct Message {
    bytes: [u8; BYTES_MAX],
    len: usize,
}

struct Shared(UnsafeCell<Message>);

// SAFETY: a plugin has no threads.
unsafe impl Sync for Shared {}

static MESSAGE: Shared = Shared(UnsafeCell::new(Message {
    bytes: [0; BYTES_MAX],
    len: 0,
}));

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = BYTES_MAX - self.len;
        let taken = &text.as_bytes()[..text.len().min(room)];
        self.bytes[self.len..self.len + taken.len()].copy_from_slice(taken);
        self.len += taken.len();
        Ok(())
    }
}

/// The message of the panic that trapped this instance; empty where there was none.
pub(super) fn message() -> &'static [u8] {
    // SAFETY: the message is written only while panicking, after which nothing runs but this.
    let message = unsafe { &*MESSAGE.0.get() };
    &message.bytes[..message.len]
}

fn keep(panic: &dyn fmt::Display) {
    // SAFETY: see `message`.
    let message = unsafe { &mut *MESSAGE.0.get() };
    message.len = 0;
    let _ = write!(message, "{panic}");
}

#[cfg(not(feature = "std"))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    keep(info);
    core::arch::wasm32::unreachable()
}

#[cfg(feature = "std")]
pub(super) fn keep_message() {
    extern crate std;
    static SET: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);
    if !SET.swap(true, core::sync::atomic::Ordering::Relaxed) {
        std::panic::set_hook(std::boxed::Box::new(|info| keep(info)));
    }
}
