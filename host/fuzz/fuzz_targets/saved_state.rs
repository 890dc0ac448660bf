#![no_main]
#![allow(missing_docs)]

use tabella_fuzz::SAVED_STATE as TARGET;

libfuzzer_sys::fuzz_target!(init: (TARGET.start)(), |input: &[u8]| (TARGET.take)(input));
