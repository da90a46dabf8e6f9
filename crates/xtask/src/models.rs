//! Keeps the model table: context windows and prices by model and provider.

use std::collections::BTreeMap;
use std::fs;

use crate::run::{root, say};

/// Merges the rows of `file` into the table; a row of the same model and provider is replaced.
pub(crate) fn extend(file: &str) -> Result<(), String> {
    let table = root().join("crates/config/data/models.tsv");
    let read = |path: &std::path::Path| {
        fs::read_to_string(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let (merged, changed) = merge(&read(&table)?, &read(std::path::Path::new(file))?)?;
    fs::write(&table, merged).map_err(|error| format!("{} cannot be written: {error}", table.display()))?;
    say(&format!("{changed} rows added or replaced in {}", table.display()));
    Ok(())
}

/// Both tables as one, sorted, and how many rows `new` changed.
fn merge(old: &str, new: &str) -> Result<(String, usize), String> {
    let header = old.lines().next().unwrap_or_default();
    if new.lines().next() != Some(header) {
        return Err(format!("the first line must name the columns:\n{header}"));
    }
    let columns = header.split('\t').count();
    let mut rows = BTreeMap::new();
    for line in old.lines().skip(1) {
        rows.insert(key(line), line);
    }
    let mut changed = 0;
    for (number, line) in new.lines().enumerate().skip(1).filter(|(_, line)| !line.is_empty()) {
        if line.split('\t').count() != columns {
            return Err(format!("line {}: {columns} columns are needed", number + 1));
        }
        if rows.insert(key(line), line) != Some(line) {
            changed += 1;
        }
    }
    let lines: Vec<&str> = std::iter::once(header).chain(rows.into_values()).collect();
    Ok((lines.join("\n") + "\n", changed))
}

/// What a row is about: its model and provider.
fn key(line: &str) -> (&str, &str) {
    let mut columns = line.split('\t');
    (columns.next().unwrap_or_default(), columns.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn rows_are_added_and_replaced() {
        let old = "model\tprovider\tprice\na\tx\t1\nb\tx\t2\n";
        let new = "model\tprovider\tprice\nb\tx\t3\na\ty\t4\n";
        let (merged, changed) = merge(old, new).unwrap();
        assert_eq!(merged, "model\tprovider\tprice\na\tx\t1\na\ty\t4\nb\tx\t3\n");
        assert_eq!(changed, 2);
        assert!(merge(old, "model\tprice\nb\t3\n").is_err());
        assert!(merge(old, "model\tprovider\tprice\nb\n").is_err());
    }
}
