//! `OpenAI`'s responses.

use crate::chat::Chat;
use crate::format::*;
use crate::reply::*;
use bytes::{Bytes, BytesMut};
use weighbridge_domain::failure::{Failure, FailureKind};
pub fn write_request(chat: &Chat, _: Target<'_>) -> Written {
    Written { body: Bytes::new(), losses: chat.losses.clone() }
}
pub fn read_reply(_: &[u8], _: &Labels) -> Result<Reply, Failure> {
    Err(Failure::new(FailureKind::BrokenReply, "stub"))
}
#[derive(Debug)]
pub struct Reader;
impl Reader {
    pub fn new(_: &Labels) -> Self {
        Self
    }
    pub fn read(&mut self, _: Frame<'_>, _: &mut Vec<Event>) {}
    pub fn is_complete(&self) -> bool {
        false
    }
}

pub fn read_request(_: &[u8]) -> Result<Chat, Unreadable> {
    Ok(Chat::default())
}
pub fn write_reply(_: &Reply, _: &Labels) -> Bytes {
    Bytes::new()
}
#[derive(Debug)]
pub struct Writer;
impl Writer {
    pub fn new(_: &Labels, _: StreamOptions) -> Self {
        Self
    }
    pub fn write(&mut self, _: &Event, _: &mut BytesMut) {}
    pub fn end(&mut self, _: &mut BytesMut) {}
}
pub const FIELDS: &[&str] = &[];
