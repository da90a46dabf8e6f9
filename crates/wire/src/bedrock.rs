//! Amazon Bedrock's Converse.

use crate::chat::Chat;
use crate::format::*;
use crate::reply::*;
use bytes::Bytes;
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
pub fn path(_: &str, _: bool) -> String {
    String::new()
}
