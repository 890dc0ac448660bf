//! Sealing as a WebAssembly module that imports nothing: what a page runs to seal a ballot and to check one.
//!
//! A caller asks for a [`buffer`] of so many bytes, writes what a call takes into it, calls, and reads what the call
//! leaves in the buffer. A call returns a length, or a negative number: one of the constants here. Seeds come from the
//! caller, and the buffer is erased when the next one is asked for. Nothing here knows a network, an election or JSON.
#![allow(
    unsafe_code,
    reason = "names of exports are not mangled; nothing else is unsafe"
)]

use std::cell::RefCell;

use tabella_seal::{
    Key,
    form::Form,
    slots::{Sealed, Sealer, verify},
};
use zeroize::Zeroize;

/// Bytes of a buffer, at most: more than any sealed contest with what belongs to it.
const BUFFER_BYTES_MAX: usize = 1 << 18;

/// The buffer has not the bytes that the call takes.
pub const TOO_SHORT: i32 = -1;
/// The key is not one.
pub const NOT_A_KEY: i32 = -2;
/// The form is not one.
pub const NOT_A_FORM: i32 = -3;
/// Nothing was configured before.
pub const NOT_CONFIGURED: i32 = -4;
/// The form admits no ballot with these values.
pub const NOT_ADMITTED: i32 = -5;
/// The contest does not hold, or was not sealed with these values and this seed.
pub const REFUSED: i32 = -6;

#[derive(Default)]
struct State {
    buffer: Vec<u8>,
    contest: Option<(Key, Form)>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Runs a call, and puts what it answers with into the buffer.
fn call(work: impl FnOnce(&mut State) -> Result<Vec<u8>, i32>) -> i32 {
    STATE.with_borrow_mut(|state| {
        let answer = work(state);
        state.buffer.zeroize();
        match answer {
            Ok(answer) => {
                state.buffer = answer;
                state.buffer.len() as i32
            }
            Err(code) => code,
        }
    })
}

/// A buffer of so many bytes, zeros, and its address; 0 where that is too many.
#[unsafe(no_mangle)]
pub extern "C" fn buffer(bytes: u32) -> *const u8 {
    STATE.with_borrow_mut(|state| {
        state.buffer.zeroize();
        if bytes as usize > BUFFER_BYTES_MAX {
            return std::ptr::null();
        }
        state.buffer.resize(bytes as usize, 0);
        state.buffer.as_ptr()
    })
}

/// The address of what the last call left.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    STATE.with_borrow(|state| state.buffer.as_ptr())
}

/// Takes a key of 32 bytes and the bytes of a form. Leaves four bytes: how many counters there are.
#[unsafe(no_mangle)]
pub extern "C" fn configure() -> i32 {
    call(|state| {
        let (key, form) = state.buffer.split_first_chunk().ok_or(TOO_SHORT)?;
        let key = Key::from_bytes(*key).map_err(|_| NOT_A_KEY)?;
        let form = Form::from_bytes(form).map_err(|_| NOT_A_FORM)?;
        let counters = form.counters();
        state.contest = Some((key, form));
        Ok(counters.to_le_bytes().to_vec())
    })
}

/// What a call takes of a ballot, and the bytes after it.
struct Ballot<'a> {
    key: &'a Key,
    form: &'a Form,
    context: &'a [u8; 32],
    seed: &'a [u8; 32],
    bits: Vec<bool>,
    rest: &'a [u8],
}

impl Drop for Ballot<'_> {
    fn drop(&mut self) {
        self.bits.zeroize();
    }
}

fn ballot(state: &State) -> Result<Ballot<'_>, i32> {
    let (key, form) = state.contest.as_ref().ok_or(NOT_CONFIGURED)?;
    let (context, rest) = state.buffer.split_first_chunk().ok_or(TOO_SHORT)?;
    let (seed, rest) = rest.split_first_chunk().ok_or(TOO_SHORT)?;
    let counters = form.counters() as usize;
    let (values, rest) = rest.split_at_checked(8 * counters).ok_or(TOO_SHORT)?;
    let (values, _) = values.as_chunks();
    let mut values: Vec<u64> = values
        .iter()
        .map(|value| u64::from_le_bytes(*value))
        .collect();
    let bits = form.bits(&values);
    values.zeroize();
    Ok(Ballot {
        key,
        form,
        context,
        seed,
        bits: bits.ok_or(NOT_ADMITTED)?,
        rest,
    })
}

/// Takes a context and a seed of 32 bytes each and eight bytes for the value of each counter. Leaves the sealed
/// contest.
#[unsafe(no_mangle)]
pub extern "C" fn seal() -> i32 {
    call(|state| {
        let ballot = ballot(state)?;
        let sealer = Sealer::new(ballot.form, ballot.key);
        let bytes = sealer.seal(ballot.context, &ballot.bits, ballot.seed);
        bytes.map_err(|_| NOT_ADMITTED)
    })
}

/// Takes what [`seal`] takes, and a sealed contest. Leaves nothing, and returns 0 where it is that one.
#[unsafe(no_mangle)]
pub extern "C" fn open() -> i32 {
    call(|state| {
        let ballot = ballot(state)?;
        let sealer = Sealer::new(ballot.form, ballot.key);
        match sealer.opens(ballot.context, &ballot.bits, ballot.seed, ballot.rest) {
            true => Ok(Vec::new()),
            false => Err(REFUSED),
        }
    })
}

/// Takes a context of 32 bytes and a sealed contest. Leaves nothing, and returns 0 where its proofs hold.
#[unsafe(no_mangle)]
pub extern "C" fn check() -> i32 {
    call(|state| {
        let (key, form) = state.contest.as_ref().ok_or(NOT_CONFIGURED)?;
        let (context, bytes) = state.buffer.split_first_chunk().ok_or(TOO_SHORT)?;
        let sealed = Sealed {
            form,
            context,
            bytes,
        };
        verify(key, &[sealed])
            .map(|()| Vec::new())
            .map_err(|_| REFUSED)
    })
}
