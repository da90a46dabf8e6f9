//! A request as the bytes that are sent, again and again.

use std::net::SocketAddr;

/// A request, whole.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Head and body.
    pub(crate) bytes: Vec<u8>,
}

impl Request {
    /// A POST of JSON.
    pub(crate) fn post(host: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-bench\r\n\
             {lines}Content-Length: {length}\r\n\r\n"
        );
        Self { bytes: (head + body).into_bytes() }
    }
}
