//! Every mistake in `tests/mistakes/*.yaml` is told as its `.expect` file says.
//!
//! `UPDATE_EXPECT=1` writes those files anew.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use weighbridge_config::load;
use weighbridge_providers::catalog::catalog;

#[test]
fn mistakes_are_told() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let environment: HashMap<String, String> =
        [("OPENAI_API_KEY".to_owned(), "sk-openai".to_owned())].into_iter().collect();
    let mut files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    assert!(files.len() >= 15, "only {} files", files.len());
    for file in files {
        let (verdict, problems) = match load(&file, &catalog(), &environment) {
            Ok(loaded) => ("it can serve", loaded.warnings),
            Err(refused) => ("it cannot serve", refused.problems),
        };
        let mut told = String::new();
        for problem in &problems {
            writeln!(told, "{}", problem.to_string().replace(&format!("{}/", directory.display()), "")).unwrap();
        }
        writeln!(told, "{verdict}").unwrap();
        expect_file![file.with_extension("expect")].assert_eq(&told);
    }
}
