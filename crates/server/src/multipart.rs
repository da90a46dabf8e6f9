//! Forms with files: finds the model's name without touching the rest.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use weighbridge_domain::request::Form;

use crate::refusal::Refusal;

/// Whether a `Content-Type` is a form with parts.
pub(crate) fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("multipart/form-data")
}

/// The form in `bytes`. Without a `model` part, `path_model` becomes one.
///
/// # Errors
/// 400 when the boundary is missing, or the model is and the path names none.
pub(crate) fn read(bytes: Bytes, content_type: String, path_model: Option<&str>) -> Result<Form, Refusal> {
    let Some(boundary) = parameter(&content_type, "boundary").filter(|boundary| !boundary.is_empty()) else {
        return Err(Refusal::bad("request_body", "The Content-Type of the form has no boundary."));
    };
    if let Some(model) = find_model(&bytes, boundary) {
        return Ok(Form { bytes, content_type, model });
    }
    let Some(name) = path_model else {
        return Err(Refusal::bad("model", "The form has no part named `model`."));
    };
    let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n");
    let model = head.len()..head.len() + name.len();
    let bytes = [head.as_bytes(), name.as_bytes(), b"\r\n", &bytes].concat().into();
    Ok(Form { bytes, content_type, model })
}

/// Where the value of the part named `model` stands.
fn find_model(bytes: &[u8], boundary: &str) -> Option<Range<usize>> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    // The first delimiter needs no line before it.
    let mut at = if bytes.starts_with(&delimiter.as_bytes()[2..]) {
        delimiter.len() - 2
    } else {
        finder.find(bytes)? + delimiter.len()
    };
    loop {
        // After a delimiter comes the end of its line, or `--` after the last.
        let head = at + bytes.get(at..)?.strip_prefix(b"\r\n").map(|_| 2)?;
        // A part without headers begins with the empty line itself.
        let value = at + memmem::find(&bytes[at..], b"\r\n\r\n")? + 4;
        let end = value - 2 + finder.find(&bytes[value - 2..])?;
        if end >= value && is_model(bytes.get(head..value)?) {
            return Some(value..end);
        }
        at = end + delimiter.len();
    }
}

/// Whether a part's headers name it `model`.
fn is_model(head: &[u8]) -> bool {
    let Ok(head) = std::str::from_utf8(head) else { return false };
    head.lines().any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("content-disposition") && parameter(value, "name") == Some("model")
        })
    })
}

/// The parameter `name` of a header such as `form-data; name="model"`.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{is_form, read};

    const TYPE: &str = "multipart/form-data; boundary=XX";

    fn check(body: &str, path_model: Option<&str>) -> String {
        match read(Bytes::copy_from_slice(body.as_bytes()), TYPE.to_owned(), path_model) {
            Ok(form) => String::from_utf8(form.bytes[form.model].to_vec()).unwrap(),
            Err(refusal) => format!("{} {:?}", refusal.status().as_u16(), refusal.param()),
        }
    }

    fn part(head: &str, value: &str) -> String {
        format!("--XX\r\n{head}\r\n\r\n{value}\r\n")
    }

    #[test]
    fn the_model_part_is_found() {
        let file =
            part("Content-Disposition: form-data; name=\"file\"; filename=\"model\"", "\0--X\r\n--Y name=\"model\"");
        let model = part("content-disposition: form-data; name=\"model\"", "whisper-1");
        let bare = part("Content-Type: text/plain\r\nContent-Disposition: form-data; name=model", "w");
        let end = "--XX--\r\n";
        assert_eq!(check(&format!("{file}{model}{end}"), None), "whisper-1");
        assert_eq!(check(&format!("{model}{file}{end}"), None), "whisper-1");
        assert_eq!(check(&format!("preamble\r\n{bare}{end}"), None), "w");
        assert_eq!(check(&format!("{model}{end}"), Some("from-the-path")), "whisper-1");
    }

    #[test]
    fn forms_without_a_model_are_refused() {
        let file = part("Content-Disposition: form-data; name=\"file\"", "data");
        let missing = "400 Some(\"model\")";
        for body in ["", "--XX--", "--XX\r\n", "--XX\r\n\r\n", "no form at all", &format!("{file}--XX--\r\n")] {
            assert_eq!(check(body, None), missing, "{body}");
        }
        // Cut off within the model's value: nobody knows its end.
        assert_eq!(check("--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisp", None), missing);
        let no_boundary = read(Bytes::new(), "multipart/form-data".into(), None).unwrap_err();
        assert_eq!(no_boundary.param(), Some("request_body"));
    }

    #[test]
    fn a_model_from_the_path_becomes_a_part() {
        let file = format!("{}--XX--\r\n", part("Content-Disposition: form-data; name=\"file\"", "data"));
        let form = read(Bytes::from(file.clone()), TYPE.to_owned(), Some("whisper")).unwrap();
        let again = read(form.bytes.clone(), TYPE.to_owned(), None).unwrap();
        assert_eq!(again.model, form.model);
        assert!(form.bytes.ends_with(file.as_bytes()));
        let sent = form.with_model("other");
        assert_eq!(check(std::str::from_utf8(&sent).unwrap(), None), "other");
    }

    #[test]
    fn forms_are_told_by_their_type() {
        assert!(is_form("multipart/form-data; boundary=\"a b\"") && is_form("Multipart/Form-Data;boundary=x"));
        assert!(!is_form("application/json") && !is_form("multipart/mixed") && !is_form(""));
    }

    proptest! {
        /// Whatever the bytes are, reading them ends and the range lies within.
        #[test]
        fn any_bytes_are_read(body in "(--XX|\r\n|\r\n\r\n|Content-Disposition: form-data; name=\"model\"|a|-){0,12}") {
            if let Ok(form) = read(Bytes::from(body), TYPE.to_owned(), None) {
                prop_assert!(form.bytes.get(form.model).is_some());
            }
        }
    }
}
