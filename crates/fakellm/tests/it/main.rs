//! The simulated providers as their clients see them.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod anthropic;
#[cfg(test)]
mod bedrock;
#[cfg(test)]
mod cohere;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod ollama;
#[cfg(test)]
mod replies;
#[cfg(test)]
mod responses;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tcp;
