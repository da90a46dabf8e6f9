//! stub
use crate::format::*;
use bytes::Bytes;
use weighbridge_domain::failure::Failure;
#[derive(Debug)]
pub struct Embed;
#[derive(Debug)]
pub struct Vectors {
    pub usage: Option<weighbridge_domain::usage::Usage>,
}
pub fn read_request(_: &[u8]) -> Result<Embed, Unreadable> {
    Ok(Embed)
}
pub fn write_request(_: &Embed, _: Format, _: Target<'_>) -> Result<Written, Unreadable> {
    Ok(Written { body: Bytes::new(), losses: Default::default() })
}
pub fn read_reply(_: Format, _: &[u8], _: &Embed, _: &Labels) -> Result<Vectors, Failure> {
    Ok(Vectors { usage: None })
}
pub fn write_reply(_: &Vectors, _: &Embed, _: &Labels) -> Bytes {
    Bytes::new()
}
pub fn path(_: Format, _: &str) -> String {
    String::new()
}
