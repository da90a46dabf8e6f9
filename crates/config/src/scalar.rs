//! Plain YAML scalars as YAML 1.1 means them, the way `PyYAML`'s `safe_load` reads them.

/// What a plain scalar stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    /// `~`, `null`, nothing at all.
    Null,
    /// `yes`, `Off`, `TRUE`, …
    Bool(bool),
    /// `12`, `0x1f`, `010` (octal), `1_000`, `12:30` (base 60).
    Int(i64),
    /// `1.5`, `1.0e+6`, `.inf`; not `1e6`, which is text.
    Float(f64),
    /// Everything else.
    Text,
}

/// What the plain (unquoted) scalar `text` stands for.
pub(crate) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Scalar::Bool(false),
        _ => number(text).unwrap_or(Scalar::Text),
    }
}

fn number(text: &str) -> Option<Scalar> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        return Some(Scalar::Float(f64::INFINITY * f64::from(sign)));
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Scalar::Float(f64::NAN));
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(int) = integer(digits) {
        return Some(Scalar::Int(i64::from(sign) * int));
    }
    float(digits).map(|float| Scalar::Float(f64::from(sign) * float))
}

fn integer(digits: &str) -> Option<i64> {
    let plain = |digits: &str, radix| i64::from_str_radix(&digits.replace('_', ""), radix).ok();
    if let Some(binary) = digits.strip_prefix("0b") {
        return plain(binary, 2);
    }
    if let Some(hex) = digits.strip_prefix("0x") {
        return plain(hex, 16);
    }
    if digits.len() > 1 && digits.starts_with('0') && !digits.contains(':') {
        return plain(&digits[1..], 8);
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.contains(':') {
        return base_sixty(digits);
    }
    digits.bytes().all(|b| b.is_ascii_digit() || b == b'_').then(|| plain(digits, 10))?
}

/// `12:30` is 750: what a time of day or an address with a port turns into.
fn base_sixty(digits: &str) -> Option<i64> {
    let mut parts = digits.split(':');
    let first = parts.next()?;
    if first.starts_with('0') {
        return None;
    }
    let mut sum: i64 = first.replace('_', "").parse().ok()?;
    for part in parts {
        let part: i64 =
            Some(part).filter(|p| (1..=2).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
        if part > 59 {
            return None;
        }
        sum = sum.checked_mul(60)?.checked_add(part)?;
    }
    Some(sum)
}

/// A dot is needed, and an exponent needs its sign: that is YAML 1.1.
fn float(digits: &str) -> Option<f64> {
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    if let Some(exponent) = exponent {
        let figures = exponent.strip_prefix(['+', '-'])?;
        if figures.is_empty() || !figures.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    digits.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Scalar, resolve};

    #[test]
    fn plain_scalars_mean_what_pyyaml_reads() {
        use Scalar::{Bool, Float, Int, Null, Text};
        let rows: &[(&str, Scalar)] = &[
            ("", Null),
            ("~", Null),
            ("Null", Null),
            ("nul", Text),
            ("yes", Bool(true)),
            ("NO", Bool(false)),
            ("On", Bool(true)),
            ("off", Bool(false)),
            ("y", Text),
            ("tRue", Text),
            ("12", Int(12)),
            ("-3", Int(-3)),
            ("+3", Int(3)),
            ("0", Int(0)),
            ("010", Int(8)),
            ("08", Text),
            ("0x1F", Int(31)),
            ("0b101", Int(5)),
            ("0o17", Text),
            ("1_000", Int(1000)),
            ("12:30", Int(750)),
            ("1:60", Text),
            ("127.0.0.1:80", Text),
            ("1.5", Float(1.5)),
            ("-.5", Float(-0.5)),
            ("1.", Float(1.0)),
            (".", Text),
            ("1e6", Text),
            ("1e-6", Text),
            ("1.0e6", Text),
            ("1.0e-6", Float(1.0e-6)),
            ("1.0e+6", Float(1.0e6)),
            ("2024-10-21", Text),
            ("99999999999999999999", Text),
            ("-", Text),
            ("gpt-4", Text),
            ("é", Text),
        ];
        for (text, expected) in rows {
            assert_eq!(resolve(text), *expected, "{text:?}");
        }
        assert_eq!(resolve("-.inf"), Float(f64::NEG_INFINITY));
        assert!(matches!(resolve(".nan"), Float(f) if f.is_nan()));
    }
}
