#![no_main]
#![allow(missing_docs)]

use tabella_fuzz::READ_JSONL as TARGET;

libfuzzer_sys::fuzz_target!(init: (TARGET.start)(), |input: &[u8]| (TARGET.take)(input));
