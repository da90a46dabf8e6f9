//! As much of Redis's protocol as a harness needs: one command, one answer.

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The longest that a healthy server takes for one command of ours.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a server.
#[derive(Debug)]
pub struct Link {
    stream: BufReader<TcpStream>,
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Nil,
    /// A number.
    Int(i64),
    /// A text, or a word such as `OK`.
    Text(String),
    /// Several.
    Many(Vec<Value>),
    /// What is wrong with the command.
    Refused(String),
}

impl Link {
    /// Connects to a server on loopback.
    ///
    /// # Errors
    /// When nobody listens at `port`.
    pub async fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a command and reads its answer.
    ///
    /// # Errors
    /// When the connection breaks, or the server says nothing for long.
    pub async fn call(&mut self, words: &[&str]) -> io::Result<Value> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command += &format!("${}\r\n{word}\r\n", word.len());
        }
        let asked = async {
            self.stream.get_mut().write_all(command.as_bytes()).await?;
            self.read().await
        };
        tokio::time::timeout(PATIENCE, asked).await?
    }

    fn read(&mut self) -> BoxFuture<'_, io::Result<Value>> {
        Box::pin(async {
            let mut line = String::new();
            self.stream.read_line(&mut line).await?;
            let line = line.trim_end();
            let Some((kind, rest)) = line.split_at_checked(1) else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            let number = || rest.parse::<i64>().map_err(io::Error::other);
            Ok(match kind {
                "+" => Value::Text(rest.to_owned()),
                "-" => Value::Refused(rest.to_owned()),
                ":" => Value::Int(number()?),
                "$" => match usize::try_from(number()?) {
                    Err(_) => Value::Nil,
                    Ok(length) => {
                        let mut bytes = vec![0; length + 2];
                        self.stream.read_exact(&mut bytes).await?;
                        bytes.truncate(length);
                        Value::Text(String::from_utf8_lossy(&bytes).into_owned())
                    }
                },
                "*" => {
                    let mut all = Vec::new();
                    for _ in 0..number()? {
                        all.push(self.read().await?);
                    }
                    Value::Many(all)
                }
                _ => return Err(io::Error::other(format!("not RESP2: {line}"))),
            })
        })
    }
}

impl Value {
    /// The text of a text or a number; nothing of anything else.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Nil | Self::Many(_) | Self::Refused(_) => String::new(),
        }
    }

    /// The number, also of a text that is one; 0 without.
    pub fn int(&self) -> i64 {
        self.text().parse().unwrap_or_default()
    }

    /// All of several; none of anything else.
    pub fn all(&self) -> &[Self] {
        match self {
            Self::Many(all) => all,
            Self::Nil | Self::Int(_) | Self::Text(_) | Self::Refused(_) => &[],
        }
    }
}
