//! What other replicas do, heard over a connection of its own.

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use redis::{Client, RedisResult};
use tokio::sync::mpsc;

use super::decode;
use super::lane::in_words;
use crate::fleet::link::{LinkError, News};

/// News that wait to be heard; past that the next poll tells.
const WAITING: usize = 1024;

/// A way to hear news.
pub(crate) struct Listener {
    /// Any of these tells all there is.
    pub(crate) clients: Vec<Client>,
    pub(crate) channel: String,
    pub(crate) connect_timeout: Duration,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl Listener {
    /// Begins to listen.
    pub(crate) async fn listen(&self) -> Result<mpsc::Receiver<News>, LinkError> {
        let mut last = LinkError::Broken("there is nobody to hear news from".to_owned());
        for client in &self.clients {
            match tokio::time::timeout(self.connect_timeout, self.subscribe(client)).await {
                Ok(Ok(pubsub)) => return Ok(tell(pubsub)),
                Ok(Err(error)) => last = LinkError::Broken(in_words(&error)),
                Err(_) => last = LinkError::Broken("no connection for news in time".to_owned()),
            }
        }
        Err(last)
    }

    async fn subscribe(&self, client: &Client) -> RedisResult<PubSub> {
        let mut pubsub = client.get_async_pubsub().await?;
        pubsub.subscribe(&self.channel).await?;
        Ok(pubsub)
    }
}

/// Passes on what is said, until nobody speaks or nobody listens.
fn tell(pubsub: PubSub) -> mpsc::Receiver<News> {
    let (tell, news) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut messages = pubsub.into_on_message();
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                () = tell.closed() => return,
            };
            let Some(message) = message else { return };
            let heard = match message.get_payload_bytes() {
                b"E" => Some(News::Epoch),
                payload => decode::standing(payload).map(|(mark, report)| News::Standing(mark, report)),
            };
            if let Some(heard) = heard {
                // One too many is told by the next poll.
                drop(tell.try_send(heard));
            }
        }
    });
    news
}
