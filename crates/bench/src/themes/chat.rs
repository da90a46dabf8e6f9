//! Whole answers: by size, embeddings, a config object, the request log.

use super::full::full;
use super::{SIZES, named};
use crate::bench::Bench;
use crate::targets::{Kind, Router, Target};

/// Measures all of them.
pub(crate) async fn chat(bench: &mut Bench<'_>, targets: &[Target]) {
    let lengths = bench.lengths;
    let direct = Target::direct(&bench.upstream);
    // What asking and answering take themselves.
    bench.read(SIZES[0].0, &direct, async || full(&direct, SIZES[0].2, &lengths).await).await;
    let cases = SIZES.iter().map(|(case, _, kind)| (*case, *kind));
    for (case, kind) in cases.chain([("embeddings", Kind::Embeddings)]) {
        for target in targets.iter().filter(|target| target.name != Router::LOGGING) {
            bench.read(case, target, async || full(target, kind, &lengths).await).await;
        }
    }
    if let Some(target) = named(targets, Router::LOGGING) {
        bench.read(SIZES[0].0, target, async || full(target, SIZES[0].2, &lengths).await).await;
    }
    if let Some(target) = named(targets, Router::EMBEDDED) {
        bench.read("config object", target, async || full(target, Kind::Tree, &lengths).await).await;
    }
}
