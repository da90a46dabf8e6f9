//! Tells when one of the loaded files changed, however an editor or Kubernetes replaced it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use sha2::{Digest, Sha256};

/// How long a file has to be left alone before it is looked at.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// The files cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("configuration files cannot be watched")]
pub struct WatchError(#[from] notify::Error);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watch {
    _watcher: RecommendedWatcher,
    changes: tokio::sync::mpsc::Receiver<()>,
}

impl Watch {
    /// Watches `files` by way of their directories: a file that is replaced is another file, and
    /// a mounted `ConfigMap` is a link whose target moves.
    ///
    /// # Errors
    /// When the system does not let directories be watched.
    pub fn start(files: &[PathBuf]) -> Result<Self, WatchError> {
        let (noticed, notices) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too, and the one thing that we do to it ourselves.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                noticed.send(()).ok();
            }
        })?;
        for directory in directories(files) {
            watcher.watch(&directory, RecursiveMode::NonRecursive)?;
        }
        let (changed, changes) = tokio::sync::mpsc::channel(1);
        let files = files.to_vec();
        let known = contents(&files);
        std::thread::spawn(move || tell(&notices, &changed, &files, known));
        Ok(Self { _watcher: watcher, changes })
    }

    /// Waits for the next change. Changes that come while nobody waits are told once. `None`
    /// when there will be no more.
    pub async fn changed(&mut self) -> Option<()> {
        self.changes.recv().await
    }
}

/// Passes on notices that go with other contents, until the watch is dropped.
fn tell(
    notices: &mpsc::Receiver<()>,
    changed: &tokio::sync::mpsc::Sender<()>,
    files: &[PathBuf],
    mut known: Vec<Option<[u8; 32]>>,
) {
    while notices.recv().is_ok() {
        loop {
            match notices.recv_timeout(DEBOUNCE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let now = contents(files);
        if now != known {
            known = now;
            // A full channel holds a notice already.
            if let Err(tokio::sync::mpsc::error::TrySendError::Closed(())) = changed.try_send(()) {
                return;
            }
        }
    }
}

/// The directories of the files, and of what they link to.
fn directories(files: &[PathBuf]) -> HashSet<PathBuf> {
    let parent = |file: &Path| match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let real = |file: &PathBuf| file.canonicalize().ok();
    files.iter().map(|file| parent(file)).chain(files.iter().filter_map(real).map(|file| parent(&file))).collect()
}

/// A digest of each file; `None` for one that cannot be read.
fn contents(files: &[PathBuf]) -> Vec<Option<[u8; 32]>> {
    files.iter().map(|file| std::fs::read(file).ok().map(|bytes| Sha256::digest(bytes).into())).collect()
}

#[cfg(test)]
mod tests {
    use super::Watch;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
    }

    #[test]
    fn writing_replacing_and_relinking_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("router.yaml");
        std::fs::write(&file, "a: 1").unwrap();
        let mut watch = Watch::start(std::slice::from_ref(&file)).unwrap();
        run(async {
            std::fs::write(&file, "a: 2").unwrap();
            watch.changed().await.unwrap();
            let other = directory.path().join("router.yaml.tmp");
            std::fs::write(&other, "a: 3").unwrap();
            std::fs::rename(&other, &file).unwrap();
            watch.changed().await.unwrap();
        });
    }

    #[cfg(unix)]
    #[test]
    fn a_mounted_config_map_is_noticed() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (version, text) in [("v1", "a: 1"), ("v2", "a: 2")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("router.yaml"), text).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        symlink("..data/router.yaml", at("router.yaml")).unwrap();
        let mut watch = Watch::start(&[at("router.yaml")]).unwrap();
        run(async {
            symlink("v2", at("..tmp")).unwrap();
            std::fs::rename(at("..tmp"), at("..data")).unwrap();
            watch.changed().await.unwrap();
        });
    }
}
