//! As much of HTTP/1.1 as a load generator needs, with few system calls and nothing copied.

mod answer;
mod connection;
mod request;

pub(crate) use answer::{Expected, Reader};
pub(crate) use connection::Connection;
pub(crate) use request::Request;
