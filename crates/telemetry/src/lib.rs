//! Typed events rendered as metrics and log lines.
