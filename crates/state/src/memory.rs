//! The embedded store: everything in this process.
