//! Tables of Markdown, and how figures are written in them.

use crate::readings::Figure;

/// A table: the first column holds names, the others figures.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return "Not measured in this run.\n".to_owned();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let names: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let rule: Vec<String> = (0..head.len()).map(|place| if place == 0 { "---" } else { "--:" }.to_owned()).collect();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    line(&names) + &line(&rule).replace(' ', "") + &rows
}

/// A figure with three digits that count.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let places = whole.len();
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (places - place) % 3 == 0 && grouped != "-" {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

/// Median and spread; `–` where nothing was read, a star where others used the machine.
pub(super) fn spread(figure: Option<Figure>) -> String {
    figure.map_or_else(none, |figure| {
        let summary = figure.summary;
        let bounds = [summary.min, summary.max].map(number);
        let median = number(summary.median) + star(figure);
        if bounds[0] == bounds[1] { median } else { format!("{median} ({}–{})", bounds[0], bounds[1]) }
    })
}

/// The median alone.
pub(super) fn median(figure: Option<Figure>) -> String {
    figure.map_or_else(none, |figure| number(figure.summary.median) + star(figure))
}

/// The median as a multiple.
pub(super) fn times(figure: Option<Figure>) -> String {
    figure.map_or_else(none, |figure| {
        let median = figure.summary.median;
        let text = if median < 9.995 { format!("{median:.2}") } else { number(median) };
        format!("{text}x{}", star(figure))
    })
}

fn star(figure: Figure) -> &'static str {
    if figure.is_disturbed { "\\*" } else { "" }
}

fn none() -> String {
    "–".to_owned()
}

#[cfg(test)]
mod tests {
    use super::{number, spread, table, times};
    use crate::readings::Figure;
    use crate::stats::Summary;

    #[test]
    fn figures_have_three_digits() {
        let check = |value, expected: &str| assert_eq!(number(value), expected);
        check(0.0123, "0.012");
        check(1.2345, "1.23");
        check(12.345, "12.3");
        check(-5.678, "-5.68");
        check(123.45, "123");
        check(52_734.2, "52,734");
        check(-123_456.0, "-123,456");
        check(1_234_567.0, "1,234,567");
    }

    #[test]
    fn spreads_are_told_where_there_are_any() {
        let figure =
            |median, min, max, is_disturbed| Some(Figure { summary: Summary { median, min, max }, is_disturbed });
        assert_eq!(spread(figure(20.0, 19.5, 22.0, false)), "20.0 (19.5–22.0)");
        assert_eq!(spread(figure(20.0, 20.0, 20.0, true)), "20.0\\*");
        assert_eq!(spread(None), "–");
        assert_eq!(times(figure(1.234, 1.0, 2.0, false)), "1.23x");
        assert_eq!(times(figure(569.4, 1.0, 2.0, true)), "569x\\*");
    }

    #[test]
    fn tables_are_laid_out() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(table(&["", "a"], &[row(["x", "1"])]), "|  | a |\n|---|--:|\n| x | 1 |\n");
    }
}
