//! The usage window: 61 one-second buckets, so that no 60 s interval can exceed a limit.
