//! Where the binaries are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The binary called `name`, of the router or of the fake provider, built if it is not fresh: `cargo test` of one
/// package alone builds no other's.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let profile = match directory().file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--offline", "--bins", "-p", "weighbridge", "-p", "weighbridge-fakellm"]);
        cargo.args(["--profile", profile, "--target-dir"]).arg(directory().parent().expect("target/<profile>"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        // Told by cargo to this process; build scripts would take them for a change.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&*name);
            }
        }
        assert!(cargo.status().expect("cargo").success(), "the binaries build");
    });
    directory().join(name)
}

/// `target/<profile>`: this is a binary in it, or a test in its `deps`.
fn directory() -> &'static Path {
    static PROFILE: OnceLock<PathBuf> = OnceLock::new();
    PROFILE.get_or_init(|| {
        let this = std::env::current_exe().expect("a path");
        let directory = this.parent().expect("a directory");
        let above = directory.parent().filter(|_| directory.ends_with("deps"));
        above.unwrap_or(directory).to_owned()
    })
}
