//! The router: serve, check, explain, demo; and the same as a library.
