//! What can be counted: instructions and allocations of a request.

use std::fmt::Write;

use crate::callgrind::{self, Runs};
use crate::case::{GROWING, Growing};
use crate::cost::Cost;

const HEAD: &str = "\
## Instructions

Instructions and allocations of the router for a chat of 300 B, unless the body is what grows, counted by Callgrind as
`cargo xtask cost` does: no other load moves them, but neither do they show what a cache misses. In brackets: as a multiple of the first.

| | | instructions | | allocations |
|---|--:|--:|--:|--:|
";

/// The table of all quantities.
pub(super) async fn section() -> Result<String, String> {
    let mut text = HEAD.to_owned();
    for growing in GROWING {
        let costs = costs(growing).await?;
        let first = costs.first().map_or(1.0, |cost| cost.instructions);
        let mut title = growing.title;
        for (amount, Cost { instructions, allocations, .. }) in growing.amounts.iter().zip(costs) {
            // Writing to a string cannot fail.
            writeln!(
                text,
                "| {title} | {} | {} | {:.2}x | {allocations:.0} |",
                grouped(*amount as u64),
                grouped(instructions as u64),
                instructions / first
            )
            .ok();
            title = "";
        }
    }
    Ok(text)
}

async fn costs(growing: &Growing) -> Result<Vec<Cost>, String> {
    let case = |amount: &usize| (format!("{}/{amount}", growing.name), runs(growing, *amount));
    callgrind::costs(growing.amounts.iter().map(case).collect()).await
}

/// All that is used is warm when counting begins: of a few, each was chosen, though they are chosen by chance.
fn runs(growing: &Growing, amount: usize) -> Runs {
    let used = match growing.is_used_whole {
        true if amount < 1000 => 4 * amount,
        true => amount,
        false => 0,
    };
    Runs { warm: Runs::USUAL.warm.max(used), ..Runs::USUAL }
}

/// A number with a comma at every third digit.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
