//! Other processes: what they use, where they run, whether they stand still.

mod cpu;
mod others;
mod stat;
mod steer;

pub(crate) use cpu::Cpu;
pub(crate) use others::Others;
pub(crate) use stat::resident_kib;
pub(crate) use steer::{Core, pin, pinned, resume, stand_still};
