//! Who may be asked: fit for the request, not yet tried, not resting.

use std::sync::Arc;

use weighbridge_domain::deployment::Deployment;
use weighbridge_domain::failure::{Failure, FailureKind};
use weighbridge_domain::group::ModelGroup;
use weighbridge_domain::name::DeploymentId;
use weighbridge_domain::settings::RoutingSettings;
use weighbridge_domain::time::Timestamp;
use weighbridge_domain::view::{DeploymentView, Health};

/// What of a request its deployments are held against.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestFacts<'a> {
    /// Tags it asks for; `!tag` excludes and `&tag` requires.
    pub tags: &'a [String],
    /// The client's `User-Agent`.
    pub user_agent: Option<&'a str>,
    /// The region it must stay in.
    pub region: Option<&'a str>,
    /// Its prompt's estimated length.
    pub prompt_tokens: u32,
}

/// Those of `deployments` that are fit for the request, whatever their health.
///
/// # Errors
/// When none is, with the reason a client should hear.
pub fn fit(
    group: &ModelGroup,
    deployments: &[Arc<Deployment>],
    facts: &RequestFacts<'_>,
    settings: &RoutingSettings,
    level: Option<u32>,
) -> Result<Vec<Arc<Deployment>>, Failure> {
    let mut left: Vec<Arc<Deployment>> =
        deployments.iter().filter(|d| level.is_none_or(|level| d.order == level)).cloned().collect();
    if left.is_empty() {
        let why = if group.paused { "is currently paused" } else { "has no deployment that can be called" };
        return Err(Failure::new(FailureKind::NoCandidate, format!("The model {} {why}.", group.name)));
    }
    if group.tag_filtering.unwrap_or(settings.tag_filtering) {
        left = by_tags(left, facts, settings.tags_match_any);
        if left.is_empty() {
            let message = format!(
                "Not allowed to access model due to tags configuration. Passed model={} and tags={:?}",
                group.name, facts.tags
            );
            return Err(Failure { status: Some(401), ..Failure::new(FailureKind::NoCandidate, message) });
        }
    }
    if settings.pre_call_checks {
        left = in_region(left, facts, group)?;
        left = long_enough(left, facts, group)?;
    }
    Ok(left)
}

/// `fit` without those that failed this request, as long as others are left.
pub fn without_tried(fit: Vec<Arc<Deployment>>, tried: &[DeploymentId]) -> Vec<Arc<Deployment>> {
    if fit.iter().all(|d| tried.contains(&d.id)) {
        return fit;
    }
    fit.into_iter().filter(|d| !tried.contains(&d.id)).collect()
}

/// Whether it may be asked now, as far as its health goes.
pub const fn is_usable(view: &DeploymentView) -> bool {
    matches!(view.health, Health::Ready | Health::HalfOpen { is_probed: false, .. })
}

/// When a resting deployment may be asked again; `None` when nobody can say: an operator decides, or
/// the answer to the probe under way.
pub const fn back_at(view: &DeploymentView) -> Option<Timestamp> {
    match view.health {
        Health::Ready | Health::HalfOpen { .. } => None,
        Health::Cooling { until, .. } => Some(until),
        Health::Drained { until } => until,
    }
}

/// The failure it rests for, if it does.
pub const fn rests_for(view: &DeploymentView) -> Option<FailureKind> {
    match view.health {
        Health::Cooling { cause, .. } | Health::HalfOpen { cause, .. } => Some(cause),
        Health::Ready | Health::Drained { .. } => None,
    }
}

/// Of a group that rests as a whole, those that may be tried all the same: the soonest back
/// first, and before all one that is being probed, whose rest is over. One that rests for a rate
/// limit or an operator's word is not among them.
pub fn least_bad(resting: &[(Arc<Deployment>, DeploymentView)]) -> impl Iterator<Item = Arc<Deployment>> {
    let mut order: Vec<_> = resting
        .iter()
        .filter(|(_, view)| rests_for(view).is_some_and(|cause| cause != FailureKind::RateLimited))
        .collect();
    order.sort_by_key(|(_, view)| back_at(view));
    order.into_iter().map(|(deployment, _)| Arc::clone(deployment)).collect::<Vec<_>>().into_iter()
}

/// `LiteLLM`'s tag rules: no match leaves the `default` ones; a request without tags gets the
/// `default` ones, else all.
fn by_tags(left: Vec<Arc<Deployment>>, facts: &RequestFacts<'_>, any: bool) -> Vec<Arc<Deployment>> {
    let banned: Vec<&str> = facts.tags.iter().filter_map(|tag| tag.strip_prefix('!')).collect();
    let required: Vec<&str> = facts.tags.iter().filter_map(|tag| tag.strip_prefix('&')).collect();
    let wanted: Vec<&str> = facts.tags.iter().map(String::as_str).filter(|tag| !tag.starts_with(['!', '&'])).collect();
    let has = |d: &Deployment, tag: &str| d.tags.iter().any(|own| own == tag);
    let left: Vec<Arc<Deployment>> = left
        .into_iter()
        .filter(|d| !banned.iter().any(|tag| has(d, tag)) && required.iter().all(|tag| has(d, tag)))
        .collect();
    let agent = facts.user_agent.map(|agent| format!("User-Agent: {agent}"));
    let by_agent = |d: &Deployment| {
        agent.as_ref().is_some_and(|agent| d.tag_patterns.iter().any(|pattern| pattern.is_match(agent)))
    };
    let matches = |d: &Deployment| {
        let by_tag = !wanted.is_empty()
            && if any { wanted.iter().any(|tag| has(d, tag)) } else { wanted.iter().all(|tag| has(d, tag)) };
        by_tag || by_agent(d)
    };
    let defaults = || left.iter().filter(|d| has(d, "default")).cloned().collect::<Vec<_>>();
    let matching: Vec<_> = left.iter().filter(|d| matches(d)).cloned().collect();
    match (matching.is_empty(), wanted.is_empty()) {
        (false, _) => matching,
        (true, false) => defaults(),
        (true, true) => {
            let defaults = defaults();
            if defaults.is_empty() { left } else { defaults }
        }
    }
}

fn in_region(
    left: Vec<Arc<Deployment>>,
    facts: &RequestFacts<'_>,
    group: &ModelGroup,
) -> Result<Vec<Arc<Deployment>>, Failure> {
    let Some(region) = facts.region else { return Ok(left) };
    let left: Vec<_> = left.into_iter().filter(|d| d.region.as_deref() == Some(region)).collect();
    if left.is_empty() {
        let message = format!("No deployment of {} is in the region {region}.", group.name);
        return Err(Failure::new(FailureKind::NoCandidate, message));
    }
    Ok(left)
}

fn long_enough(
    left: Vec<Arc<Deployment>>,
    facts: &RequestFacts<'_>,
    group: &ModelGroup,
) -> Result<Vec<Arc<Deployment>>, Failure> {
    let longest = left.iter().filter_map(|d| d.max_input_tokens).max().unwrap_or(u32::MAX);
    let left: Vec<_> =
        left.into_iter().filter(|d| d.max_input_tokens.is_none_or(|max| facts.prompt_tokens <= max)).collect();
    if left.is_empty() {
        let message = format!(
            "The prompt is too long for every deployment. Model={}, Max Input Tokens={longest}, Got={}",
            group.name, facts.prompt_tokens
        );
        return Err(Failure::new(FailureKind::ContextWindow, message));
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::failure::FailureKind;
    use weighbridge_domain::settings::RoutingSettings;
    use weighbridge_domain::time::Timestamp;
    use weighbridge_domain::view::Health;

    use super::{RequestFacts, fit, least_bad, without_tried};
    use crate::strategy::sample::{deployment, group, view};

    fn by_tags(own: &[&[&str]], wanted: &[&str], any: bool) -> String {
        let deployments = own
            .iter()
            .enumerate()
            .map(|(i, tags)| deployment(&i.to_string(), |d| d.tags = tags.iter().map(|t| (*t).to_owned()).collect()));
        let group = group(deployments.collect());
        let tags: Vec<String> = wanted.iter().map(|t| (*t).to_owned()).collect();
        let facts = RequestFacts { tags: &tags, ..RequestFacts::default() };
        let settings = RoutingSettings { tag_filtering: true, tags_match_any: any, ..RoutingSettings::default() };
        match fit(&group, &group.deployments, &facts, &settings, None) {
            Ok(left) => left.iter().map(|d| d.id.as_str()).collect::<Vec<_>>().join(","),
            Err(failure) => failure.http_status().to_string(),
        }
    }

    #[test]
    fn tags() {
        let own: &[&[&str]] = &[&["free"], &["paid", "eu"], &["default"]];
        assert_eq!(by_tags(own, &["free"], true), "0");
        assert_eq!(by_tags(own, &["paid", "us"], true), "1");
        assert_eq!(by_tags(own, &["paid", "us"], false), "2", "all are needed, so the default one");
        assert_eq!(by_tags(own, &["gold"], true), "2");
        assert_eq!(by_tags(own, &[], true), "2");
        assert_eq!(by_tags(&own[..2], &["gold"], true), "401");
        assert_eq!(by_tags(&own[..2], &[], true), "0,1");
        assert_eq!(by_tags(own, &["!default", "&eu"], true), "1");
    }

    #[test]
    fn prompts_are_held_against_windows_only_when_asked() {
        let group = group(vec![
            deployment("small", |d| d.max_input_tokens = Some(10)),
            deployment("big", |d| d.max_input_tokens = Some(100)),
        ]);
        let count = |tokens, pre_call_checks| {
            let facts = RequestFacts { prompt_tokens: tokens, ..RequestFacts::default() };
            let settings = RoutingSettings { pre_call_checks, ..RoutingSettings::default() };
            fit(&group, &group.deployments, &facts, &settings, None).map(|left| left.len()).map_err(|f| f.kind)
        };
        assert_eq!((count(50, false), count(50, true), count(10, true)), (Ok(2), Ok(1), Ok(2)));
        assert_eq!(count(101, true), Err(FailureKind::ContextWindow));
    }

    #[test]
    fn who_failed_is_left_out_while_another_is_left() {
        let all = vec![deployment("a", |_| {}), deployment("b", |_| {})];
        let left = without_tried(all.clone(), &["a".into()]);
        assert_eq!(left.len(), 1);
        assert_eq!(without_tried(all, &["a".into(), "b".into()]).len(), 2);
    }

    #[test]
    fn the_least_bad_rests_for_a_failure_of_its_own() {
        let cooling = |until, cause| Health::Cooling { until: Timestamp::from_millis(until), cause };
        let resting = [
            (deployment("late", |_| {}), view(cooling(9, FailureKind::ServerError))),
            (deployment("limited", |_| {}), view(cooling(1, FailureKind::RateLimited))),
            (deployment("soon", |_| {}), view(cooling(5, FailureKind::Unreachable))),
            (deployment("drained", |_| {}), view(Health::Drained { until: None })),
            (deployment("probed", |_| {}), view(Health::HalfOpen { is_probed: true, cause: FailureKind::Timeout })),
        ];
        let order: Vec<_> = least_bad(&resting).map(|d| d.id.to_string()).collect();
        assert_eq!(order, ["probed", "soon", "late"]);
    }
}
