#![no_main]

use libfuzzer_sys::fuzz_target;
use weighbridge_fuzz::exercise;
use weighbridge_wire::format::Format;

fuzz_target!(|data: &[u8]| exercise(Format::Gemini, data));
