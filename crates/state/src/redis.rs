//! Redis as the shared store: connections, keys and scripts.
//!
//! Every change is one script, so that the fleet's books are never seen half done; only the server's clock
//! is ever used. [`RedisConnector`] makes connections of every kind; what is said over them is
//! [`fleet::protocol`](crate::fleet::protocol).

mod connect;
mod decode;
mod encode;
mod keys;
mod lane;
mod link;
mod news;
mod scripts;
mod self_test;

pub use self::connect::RedisConnector;
