//! Charts of horizontal bars, written by hand.

use std::fmt::Write;

use super::markdown::number;

/// How lengths follow from values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// Each step is ten times the one before.
    Log,
}

/// A chart.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) scale: Scale,
    /// Bars that belong together, under a heading; an empty one is none.
    pub(super) groups: Vec<(String, Vec<Bar>)>,
}

/// A bar.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) colour: &'static str,
}

const WIDTH: f64 = 760.0;
/// Where bars begin, and how long the longest is.
const LEFT: f64 = 250.0;
const LONGEST: f64 = 420.0;
const STEP: f64 = 22.0;
const TOP: f64 = 44.0;

impl Chart {
    /// As SVG.
    pub(super) fn draw(&self) -> String {
        let values = || self.groups.iter().flat_map(|(_, bars)| bars).map(|bar| bar.value);
        let most = values().fold(f64::MIN_POSITIVE, f64::max);
        let least = values().filter(|value| *value > 0.0).fold(most, f64::min);
        let mut y = TOP;
        let mut body = String::new();
        for (heading, bars) in &self.groups {
            if !heading.is_empty() {
                text(&mut body, [12.0, y + 15.0], "start", "600", heading);
                y += STEP;
            }
            for Bar { name, value, colour } in bars {
                let length = LONGEST * self.scale.share(*value, least, most);
                text(&mut body, [LEFT - 8.0, y + 15.0], "end", "400", name);
                _ = writeln!(
                    body,
                    r#"<rect x="{LEFT}" y="{:.1}" width="{length:.1}" height="16" rx="2" fill="{colour}"/>"#,
                    y + 3.0
                );
                text(&mut body, [LEFT + length + 6.0, y + 15.0], "start", "400", &number(*value));
                y += STEP;
            }
            y += 8.0;
        }
        let height = y + 8.0;
        let mut head = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>{0}</title>\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
            escaped(self.title)
        );
        text(&mut head, [12.0, 24.0], "start", "600", self.title);
        head + &body + "</svg>\n"
    }
}

impl Scale {
    /// The share of the longest bar that a value has.
    fn share(self, value: f64, least: f64, most: f64) -> f64 {
        match self {
            Self::Linear => (value / most).max(0.0),
            // The least begins at a decade below it, so that it is seen at all.
            Self::Log if value > 0.0 => {
                let floor = least.log10().floor() - 0.2;
                (value.log10() - floor) / (most.log10() - floor)
            }
            Self::Log => 0.0,
        }
    }
}

fn text(into: &mut String, [x, y]: [f64; 2], anchor: &str, weight: &str, words: &str) {
    _ = writeln!(
        into,
        r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-weight="{weight}" fill="#1f2328">{}</text>"##,
        escaped(words)
    );
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Bar, Chart, Scale};

    #[test]
    fn charts_are_drawn() {
        let bar = |name: &str, value| Bar { name: name.to_owned(), value, colour: "#000" };
        let groups = vec![(String::new(), vec![bar("a & b", 10.0), bar("c", 1000.0)])];
        let svg = Chart { title: "t < u", scale: Scale::Log, groups }.draw();
        for part in ["<title>t &lt; u</title>", "a &amp; b", "width=\"420.0\"", ">1,000</text>"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.ends_with("</svg>\n"));
    }

    #[test]
    fn scales() {
        let check = |scale: Scale, value, expected: f64| {
            assert!((scale.share(value, 1.0, 100.0) - expected).abs() < 1e-9, "{value}");
        };
        check(Scale::Linear, 50.0, 0.5);
        check(Scale::Linear, -1.0, 0.0);
        check(Scale::Log, 100.0, 1.0);
        check(Scale::Log, 10.0, 1.2 / 2.2);
        check(Scale::Log, 0.0, 0.0);
    }
}
