//! What Converse is written, and what is read of it.

mod replies;
mod requests;
