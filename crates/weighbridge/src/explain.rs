//! `weighbridge explain`: the way a request would take.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use weighbridge::Router;
use weighbridge_domain::request::Operation;
use weighbridge_server::Configs;
use weighbridge_server::request::{Arrival, Setting, outline};

use crate::args::Explain;

/// Prints the stops in order, each with whom it would ask.
///
/// # Errors
/// What is wrong with the configuration or the request, in words for the terminal.
#[expect(clippy::print_stdout, reason = "the answer of this command")]
pub(crate) fn run(args: &Explain) -> Result<(), String> {
    let router = Router::apart_from_file(&args.file.config).map_err(|error| error.to_string())?;
    let headers = headers(&args.header)?;
    let body = Bytes::from(body(&args.request)?);
    let operation = Operation::Chat;
    let path = "/v1/chat/completions";
    let arrival = Arrival { id: "explain".into(), operation, path, path_model: None, headers: &headers, body };
    let table = router.engine().table();
    let configs = Configs::default();
    let request = outline(arrival, Setting { table: &table, engine: router.engine(), configs: &configs })
        .map_err(|refusal| refusal.to_string())?;
    for line in router.engine().explain(&table, &request)? {
        println!("{line}");
    }
    Ok(())
}

fn headers(lines: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let header = line.split_once(':').and_then(|(name, value)| {
            Some((HeaderName::try_from(name.trim()).ok()?, HeaderValue::try_from(value.trim()).ok()?))
        });
        let Some((name, value)) = header else { return Err(format!("`{line}` is not a header: write `Name: value`")) };
        headers.insert(name, value);
    }
    Ok(headers)
}

fn body(path: &Path) -> Result<Vec<u8>, String> {
    if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin()
            .read_to_end(&mut text)
            .map_err(|error| format!("the request cannot be read from standard input: {error}"))?;
        return Ok(text);
    }
    std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
