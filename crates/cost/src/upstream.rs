//! A provider that looks at nothing and always says the same, so that hardly anything but the router works.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::http::{Head, head};
use crate::uncounted::Uncounted;

/// What a provider says, as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// All at once.
    Whole(Vec<u8>),
    /// Piece by piece: the next one once a client has seen so many events as there were pieces.
    Paced(Vec<Vec<u8>>),
    /// Piece by piece: one in so much time.
    Ticking(Vec<Vec<u8>>, Duration),
}

/// How many events of the reply under way the client has seen.
pub(crate) type Seen = watch::Sender<usize>;

/// Starts a provider that answers everything with `reply`, and says where it listens.
pub(crate) async fn start(reply: Reply, seen: &Seen) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (reply, seen) = (Arc::new(reply), seen.subscribe());
    tokio::spawn(Uncounted::new(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A connection that ends is the router's affair.
            let talking = talk(stream, Arc::clone(&reply), seen.clone());
            tokio::spawn(Uncounted::new(async move { talking.await.ok() }));
        }
    }));
    Ok(address)
}

async fn talk(mut stream: TcpStream, reply: Arc<Reply>, mut seen: watch::Receiver<usize>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 2 << 20];
    loop {
        let mut filled = 0;
        let mut wanted = None;
        while wanted.is_none_or(|wanted| filled < wanted) {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
            wanted =
                wanted.or_else(|| head(&buffer[..filled]).map(|Head { length, body, .. }| length + body.unwrap_or(0)));
        }
        match &*reply {
            Reply::Whole(bytes) => stream.write_all(bytes).await?,
            Reply::Paced(pieces) => {
                for (count, piece) in pieces.iter().enumerate() {
                    // The client is there for as long as the provider is.
                    seen.wait_for(|seen| *seen >= count).await.ok();
                    stream.write_all(piece).await?;
                }
            }
            Reply::Ticking(pieces, every) => {
                for piece in pieces {
                    stream.write_all(piece).await?;
                    tokio::time::sleep(*every).await;
                }
            }
        }
    }
}
