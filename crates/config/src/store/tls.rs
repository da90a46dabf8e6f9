//! `tls`: whether connections are encrypted, and the certificates that takes.

use weighbridge_domain::secret::Secret;
use weighbridge_domain::store::{ClientCertificate, Tls};

use super::reach::Told;
use crate::reader::{Field, Section};

/// What our section says: `true`, `false`, or a map of files.
pub(crate) fn read(field: &Field<'_>) -> Result<Option<Tls>, Told> {
    let Some(section) = field.as_section() else {
        return Ok(field.flag().ok_or(Told)?.then(Tls::default));
    };
    section.only(&["ca", "certificate", "key", "accept_any"]);
    let [ca, certificate, key] = ["ca", "certificate", "key"].map(|name| file(&section, name));
    let accept_any = section.get("accept_any").and_then(|field| field.flag()).unwrap_or_default();
    if accept_any {
        section.warn("any certificate is taken, whoever it names", "leave `accept_any` to test set-ups");
    }
    let client = match (certificate?, key?) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(ClientCertificate { certificate, key: secret(&section, key)? }),
        (Some(_), None) | (None, Some(_)) => {
            section.error("a certificate without its key, or the reverse", "write both `certificate` and `key`");
            return Err(Told);
        }
    };
    Ok(Some(Tls { ca: ca?, client, accept_any }))
}

/// The PEM file that `name` names. A path is taken from where the configuration stands.
fn file(section: &Section<'_>, name: &str) -> Result<Option<Vec<u8>>, Told> {
    let Some(field) = section.get(name) else { return Ok(None) };
    let written = field.text().ok_or(Told)?;
    let path = field.directory().join(&written);
    match std::fs::read(&path) {
        Ok(bytes) if bytes.windows(11).any(|window| window == b"-----BEGIN ") => Ok(Some(bytes)),
        Ok(_) => {
            field.error(format!("{} holds no PEM", path.display()), "convert it with `openssl x509 -outform pem`");
            Err(Told)
        }
        Err(error) => {
            let hint = "write a path from where this file stands, or an absolute one";
            field.error(format!("{} cannot be read: {error}", path.display()), hint);
            Err(Told)
        }
    }
}

fn secret(section: &Section<'_>, key: Vec<u8>) -> Result<Secret, Told> {
    String::from_utf8(key).map(Secret::new).map_err(|_| {
        section.error("`key` is not UTF-8 text", "a key in PEM is");
        Told
    })
}
