//! Whole configurations as text, and what the table says of them.

use std::collections::HashMap;
use std::fmt::Write;

use expect_test::{Expect, expect};
use weighbridge_domain::deployment::{Auth, Deployment, MockReply, Paths};
use weighbridge_domain::failure::{ErrorClass, FailureKind};
use weighbridge_domain::policy::CooldownRule;
use weighbridge_domain::secret::Secret;
use weighbridge_domain::settings::Access;
use weighbridge_providers::catalog::catalog;

use crate::plans::tests::show;
use crate::{Loaded, load, load_text};

fn environment() -> HashMap<String, String> {
    let variables =
        [("KEY", "sk-from-variable"), ("OPENAI_API_KEY", "sk-openai"), ("RPM", "7"), ("BASE", "https://b.example/v1")];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn table(text: &str) -> Loaded {
    load_text(text, &catalog(), &environment()).unwrap_or_else(|refused| panic!("{:#?}", refused.problems))
}

/// A file with one deployment of these `litellm_params`.
fn one(params: &str) -> String {
    format!("model_list:\n- model_name: m\n  litellm_params: {{model: openai/gpt-4o, api_key: k, {params}}}\n")
}

fn deployment(text: &str) -> Deployment {
    let loaded = table(text);
    let deployment = loaded.table.deployments().next().unwrap_or_else(|| panic!("{:#?}", loaded.table.left_out()));
    deployment.as_ref().clone()
}

/// A file with the groups `names`, one deployment each, and `rest`.
fn groups(names: &str, rest: &str) -> String {
    let mut text = String::from("model_list:\n");
    for name in names.split_whitespace() {
        writeln!(text, "- {{model_name: {name}, litellm_params: {{model: openai/x-{name}, api_key: k}}}}").unwrap();
    }
    text + rest
}

/// Where `model` leads to.
fn way(loaded: &Loaded, model: &str) -> String {
    match loaded.table.find(model) {
        None => "nowhere".to_owned(),
        Some(found) => show(&found.entry.plan) + &found.captures.iter().map(|c| format!(" [{c}]")).collect::<String>(),
    }
}

fn check_way(text: &str, models: &str, expected: Expect) {
    let loaded = table(text);
    let mut shown: String =
        models.split_whitespace().map(|model| format!("{model}: {}\n", way(&loaded, model))).collect();
    for warning in &loaded.warnings {
        writeln!(shown, "{warning}").unwrap();
    }
    expected.assert_eq(&shown);
}

#[test]
fn the_shipped_file_answers_without_keys() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../router_config.yaml");
    let loaded = load(&path, &catalog(), &HashMap::new()).unwrap();
    let served: Vec<_> = loaded.table.deployments().map(|d| d.endpoint.provider.to_string()).collect();
    assert_eq!(served, ["simulated"]);
    assert_eq!(loaded.table.left_out().len(), 3);
    let reasons: Vec<_> = loaded.table.left_out().iter().map(|out| out.reason.clone()).collect();
    assert_eq!(reasons[0], "AZURE_API_BASE is not set (its api_base)");
    assert_eq!(reasons[2], "OPENAI_API_KEY is not set");
    assert_eq!(loaded.table.fingerprint.len(), 64);
    assert_eq!(loaded.files, [path]);
    assert_eq!(way(&loaded, "gpt-3.5-turbo"), "gpt-3.5-turbo");
}

#[test]
fn limits_are_looked_up_entry_params_info() {
    let rows = [
        ("{model_name: m, rpm: 1, litellm_params: {model: simulated/x, rpm: 2}, model_info: {rpm: 3}}", Some(1)),
        ("{model_name: m, litellm_params: {model: simulated/x, rpm: 2}, model_info: {rpm: 3}}", Some(2)),
        ("{model_name: m, litellm_params: {model: simulated/x}, model_info: {rpm: '3'}}", Some(3)),
        ("{model_name: m, litellm_params: {model: simulated/x, rpm: os.environ/RPM}}", Some(7)),
        ("{model_name: m, litellm_params: {model: simulated/x, rpm: os.environ/UNSET}}", None),
        ("{model_name: m, litellm_params: {model: simulated/x, rpm: 1_000}}", Some(1000)),
        ("{model_name: m, litellm_params: {model: simulated/x, rpm: 1e3}}", Some(1000)),
        ("{model_name: m, litellm_params: {model: simulated/x, rpm: 100.5}}", Some(100)),
    ];
    for (entry, expected) in rows {
        let deployment = deployment(&format!("model_list: [{entry}]"));
        assert_eq!(deployment.limits.rpm, expected, "{entry}");
        assert_eq!(deployment.limits.max_parallel_requests, None, "{entry}");
    }
    let text = one("tpm: 5") + "router_settings: {default_max_parallel_requests: 4}";
    assert_eq!(deployment(&text).limits.max_parallel_requests, Some(4));
}

#[test]
fn windows_smooth_limits() {
    let check = |params: &str, rest: &str, expected: &str| {
        let text =
            format!("model_list: [{{model_name: m, rpm: 120, litellm_params: {{api_key: k, {params}}}}}]\n{rest}");
        let smoothing = deployment(&text).limits.smoothing;
        let shown = smoothing.map_or_else(|| "none".to_owned(), |of| format!("{:?} {:?}", of.burst, of.patience));
        assert_eq!(shown, expected, "{params} | {rest}");
    };
    let by_provider = "state: {window: by_provider}";
    check("model: openai/x", "", "none");
    check("model: openai/x", "state: {window: ring}", "none");
    check("model: openai/x", by_provider, "1s 250ms");
    check("model: azure/x, api_base: 'https://r'", by_provider, "1s 250ms");
    check("model: anthropic/x", by_provider, "6s 250ms");
    check("model: groq/x", by_provider, "none");
    check("model: openai/x, window: ring", by_provider, "none");
    check("model: groq/x, window: anthropic", "", "6s 250ms");
    check("model: openai/x, window: generic", by_provider, "none");
    check("model: openai/x, window: bedrock", by_provider, "none");
    check("model: openai/x, burst: 5", "", "2.5s 250ms");
    check("model: openai/x, window: azure, burst: '1'", "", "500ms 250ms");
    check("model: openai/x, burst: 1000", "", "60s 250ms");
    check("model: openai/x", "router_settings: {default_litellm_params: {window: openai}}", "1s 250ms");

    let loaded = table(
        "model_list: [{model_name: m, window: opnai, burst: 5, litellm_params: {model: simulated/x}, model_info: {window: azure}}]",
    );
    let told: Vec<String> =
        loaded.warnings.iter().map(|warning| format!("{}: {}", warning.path, warning.hint)).collect();
    assert_eq!(
        told,
        [
            "model_list[0].window: did you mean `openai`?",
            "model_list[0].burst: write `rpm` as well; as it is, it has no effect"
        ]
    );
    let defaults = deployment(&one("window: azure, burst: 1, rpm: 6, quota_group: q")).body_defaults;
    assert!(defaults.is_empty(), "not sent to the provider: {defaults:?}");
}

#[test]
fn quota_groups_share_a_window() {
    let text = "model_list:\n- {model_name: a, quota_group: q, rpm: 5, litellm_params: {model: simulated/a}, model_info: {id: one}}\n- {model_name: b, litellm_params: {model: simulated/b, rpm: 5, quota_group: q}, model_info: {id: two}}\n- {model_name: c, litellm_params: {model: simulated/c}, model_info: {quota_group: q, rpm: 6, id: three}}\n- {model_name: d, litellm_params: {model: simulated/d}, model_info: {id: q}}\n";
    let loaded = table(text);
    let quotas: Vec<String> = loaded.table.deployments().map(|deployment| deployment.quota.to_string()).collect();
    assert_eq!(quotas, ["quota:q", "quota:q", "quota:q", "q"]);
    let told: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            r#"warning: -:4: model_list[2].model_info.quota_group: not all of the quota group "q" have the same limits (each deployment is held against its own limits by what all of the group use)"#
        ]
    );
}

#[test]
fn timeouts_by_precedence() {
    let rows = [
        ("", "", (600.0, 600.0)),
        ("", "router_settings: {timeout: 30}", (30.0, 30.0)),
        ("", "router_settings: {timeout: 30}\nlitellm_settings: {request_timeout: 20}", (20.0, 20.0)),
        ("timeout: 5", "litellm_settings: {request_timeout: 20}", (5.0, 5.0)),
        ("timeout: 5", "router_settings: {stream_timeout: 2.5}", (5.0, 2.5)),
        ("stream_timeout: 1", "router_settings: {stream_timeout: 2.5, timeout: '30'}", (30.0, 1.0)),
        ("", "general_settings: {request_timeout: 9}", (9.0, 9.0)),
    ];
    for (params, rest, (whole, stream)) in rows {
        let timeouts = deployment(&(one(params) + rest)).timeouts;
        let seconds = |time: Option<std::time::Duration>| time.unwrap().as_secs_f64();
        let found = (seconds(timeouts.whole), seconds(timeouts.first_token), seconds(timeouts.idle));
        assert_eq!(found, (whole, stream, stream), "{params} | {rest}");
    }
}

#[test]
fn cooldowns_by_precedence() {
    let check = |params: &str, info: &str, rest: &str, expected: &str| {
        let text = format!(
            "model_list:\n- model_name: m\n  litellm_params: {{model: simulated/x, {params}}}\n  model_info: {{{info}}}\n{rest}"
        );
        let cooldown = deployment(&text).cooldown;
        let rule = match cooldown.rule {
            CooldownRule::Never => "never".to_owned(),
            CooldownRule::Standard => "standard".to_owned(),
            CooldownRule::Breaker(breaker) => format!("{breaker:?}"),
            CooldownRule::AllowedFails { by_class, otherwise } => {
                format!("allowed {otherwise:?}, timeouts {:?}", by_class.get(ErrorClass::Timeout))
            }
        };
        let own = if cooldown.overrides_retry_after { ", own" } else { "" };
        assert_eq!(format!("{}s {rule}{own}", cooldown.duration.as_secs()), expected, "{params} | {info} | {rest}");
    };
    check("", "", "", "60s standard");
    check("", "", "router_settings: {cooldown_time: 5}", "5s standard");
    check("", "", "router_settings: {allowed_fails: 3}", "60s allowed Some(3), timeouts None");
    check(
        "",
        "",
        "litellm_settings: {allowed_fails: 4}\nrouter_settings: {allowed_fails: 2}",
        "60s allowed Some(2), timeouts None",
    );
    check(
        "",
        "",
        "router_settings: {allowed_fails_policy: {TimeoutErrorAllowedFails: 9}}",
        "60s allowed None, timeouts Some(9)",
    );
    check("", "allowed_fails: 1", "router_settings: {allowed_fails: 3}", "60s allowed Some(1), timeouts None");
    check("cooldown_time: 7", "cooldown_time: 8", "", "8s standard, own");
    check("cooldown_time: 0", "", "", "0s never, own");
    check("", "", "router_settings: {disable_cooldowns: true}", "60s never");
    check("", "", "litellm_settings: {cooldown_time: 30}", "30s standard");
}

#[test]
fn retries_by_precedence() {
    let loaded = table(&groups(
        "a b",
        "litellm_settings: {num_retries: 9, num_retries_per_request: 6}\nrouter_settings:\n  num_retries: '4'\n  retry_after: 3\n  retry_policy: {TimeoutErrorRetries: 1, DefaultRetries: 5}\n  model_group_retry_policy: {b: {RateLimitErrorRetries: 0}}\n",
    ));
    let retry = |name: &str| loaded.table.group(&name.into()).unwrap().retry;
    assert_eq!((retry("a").retries, retry("a").by_class.get(ErrorClass::Timeout)), (5, Some(1)));
    assert_eq!(retry("a").by_class.get(ErrorClass::RateLimit), None);
    assert_eq!(retry("b").by_class.get(ErrorClass::RateLimit), Some(0));
    assert_eq!(retry("a").backoff.min.as_secs(), 3);
    assert_eq!(loaded.table.routing.max_retries_per_request, Some(6));
    assert_eq!(deployment(&one("num_retries: 50")).retries, Some(50));
}

#[test]
fn strategies_and_their_misspellings() {
    let rows = [
        ("", "least-usage", 0),
        ("simple-shuffle", "simple-shuffle", 0),
        ("usage-based-routing", "least-usage", 0),
        ("usage-based-routing-v2", "least-usage", 0),
        ("least-busy", "least-busy", 0),
        ("cost-based-routing", "cost-based-routing", 0),
        ("latency-based-routing", "latency-based-routing", 0),
        ("round-robin", "round-robin", 0),
        ("simple", "simple-shuffle", 1),
        ("usage-based", "least-usage", 1),
        ("latency_based_routing", "latency-based-routing", 1),
        ("weighted-pick", "simple-shuffle", 1),
        ("simple-shufle", "simple-shuffle", 1),
        ("provider-budget-routing", "least-usage", 1),
    ];
    for (name, expected, warnings) in rows {
        let text = groups("a", &format!("router_settings: {{routing_strategy: {name}}}"));
        let loaded = table(&text);
        assert_eq!(loaded.table.groups().next().unwrap().strategy.label(), expected, "{name}");
        assert_eq!(loaded.warnings.len(), warnings, "{name}: {:?}", loaded.warnings);
    }
    assert!(load_text(&groups("a", "router_settings: {routing_strategy: magic}"), &catalog(), &environment()).is_err());
}

#[test]
fn endpoints() {
    let check = |params: &str, expected: &str| {
        let text = format!("model_list: [{{model_name: m, litellm_params: {{{params}}}}}]");
        let loaded = table(&text);
        let shown = match (loaded.table.deployments().next(), loaded.table.left_out().first()) {
            (Some(deployment), _) => {
                let endpoint = &deployment.endpoint;
                let auth = match &endpoint.auth {
                    Auth::None => "open".to_owned(),
                    Auth::Bearer(secret) => format!("bearer {}", secret.reveal()),
                    Auth::Header { name, secret } => format!("{name} {}", secret.reveal()),
                    other => format!("{other:?}"),
                };
                let paths = match &endpoint.paths {
                    Paths::Plain => String::new(),
                    Paths::Vertex { project, location } => format!(" {project} {location}"),
                    Paths::AzureDeployment { api_version } => format!(" {api_version}"),
                    Paths::AzureV1 { api_version } => format!(" v1 {api_version:?}"),
                };
                format!("{} {} {}{paths} {auth}", endpoint.provider, deployment.model.as_str(), endpoint.base_url)
            }
            (None, Some(out)) => format!("out: {}", out.reason),
            (None, None) => "nothing".to_owned(),
        };
        assert_eq!(shown, expected, "{params}");
    };
    check("model: openai/gpt-4o", "openai gpt-4o https://api.openai.com/v1 bearer sk-openai");
    check("model: gpt-4o, api_key: os.environ/KEY", "openai gpt-4o https://api.openai.com/v1 bearer sk-from-variable");
    check("model: openai/gpt-4o, api_key: os.environ/NOPE", "out: NOPE is not set");
    check("model: openai/gpt-4o, api_key: ''", "openai gpt-4o https://api.openai.com/v1 bearer sk-openai");
    check("model: groq/llama", "out: it has no api_key, and GROQ_API_KEY is not set");
    check("model: openai/q, api_base: os.environ/BASE, api_key: none", "openai q https://b.example/v1 bearer none");
    check("model: openai/q, api_base: os.environ/NOPE", "out: NOPE is not set (its api_base)");
    check("model: ollama/qwen2.5:7b, api_base: http://o:11434", "ollama qwen2.5:7b http://o:11434 open");
    check("model: together/x, api_key: k", "together_ai x https://api.together.xyz/v1 bearer k");
    check("model: meta-llama/L, api_base: http://v/v1", "meta-llama meta-llama/L http://v/v1 open");
    check("model: qux/x", "out: there is no provider `qux`; give it an api_base, or a row in `providers`");
    check("model: opena/x", "out: there is no provider `opena`; did you mean openai/x?");
    check("model: llama2", "out: its model names no provider; write provider/model, as in openai/gpt-4o");
    check("model: openrouter/a/b:free, api_key: k", "openrouter a/b:free https://openrouter.ai/api/v1 bearer k");
    check("model: some/x, custom_llm_provider: openai", "openai some/x https://api.openai.com/v1 bearer sk-openai");
    let azure = "api_base: https://r.openai.azure.com/, api_key: k";
    check(&format!("model: azure/d, {azure}"), "azure d https://r.openai.azure.com 2024-10-21 api-key k");
    check(
        &format!("model: azure/d, {azure}, api_version: 2024-02-01"),
        "azure d https://r.openai.azure.com 2024-02-01 api-key k",
    );
    check(
        &format!("model: azure/d, {azure}, api_version: preview"),
        "azure d https://r.openai.azure.com v1 Some(\"preview\") api-key k",
    );
    check(
        "model: azure/d, api_key: k, api_base: https://r.openai.azure.com/openai/v1/",
        "azure d https://r.openai.azure.com v1 None api-key k",
    );
}

#[test]
fn bodies_headers_and_the_rest_of_a_deployment() {
    let found = deployment(&one(
        "temperature: 0.5, max_retries: 3, extra_body: {top_k: 4}, supports_vision: true, organization: org-1, \
         extra_headers: {X-A: os.environ/KEY}, drop_params: [tool_choice], additional_drop_params: [seed], weight: '2', \
         order: 3, tags: [free], input_cost_per_token: 1e-6, output_cost_per_token: 2e-6, \
         mock_response: litellm.RateLimitError, mock_delay: 0.5, configurable_clientside_auth_params: [api_key]",
    ));
    let defaults: Vec<String> = found.body_defaults.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(defaults, ["temperature=0.5", "top_k=4"]);
    assert_eq!(found.body_drops, ["seed", "tool_choice"]);
    let headers: Vec<_> = found.endpoint.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
    assert_eq!(headers, [("X-A", "sk-from-variable"), ("OpenAI-Organization", "org-1")]);
    assert_eq!((found.weight, found.order, found.tags.as_slice()), (Some(2.0), 3, &["free".to_owned()][..]));
    assert_eq!(found.price.unwrap().output, 2e-6);
    assert_eq!(found.max_input_tokens, Some(128_000));
    assert_eq!(found.mode.as_deref(), Some("chat"));
    let mock = found.mock.unwrap();
    assert_eq!((mock.reply, mock.delay.as_millis()), (MockReply::Failure(FailureKind::RateLimited), 500));
    assert!(found.client_credentials);
}

#[test]
fn ids_are_stable_and_twins_differ() {
    let ids = |text: &str| table(text).table.deployments().map(|d| d.id.to_string()).collect::<Vec<_>>();
    let twins = "model_list: [{model_name: m, litellm_params: &p {model: simulated/x}}, {model_name: m, litellm_params: *p}, {model_name: n, litellm_params: *p}]";
    let first = ids(twins);
    assert_eq!(first, ids(twins));
    assert!(first.iter().all(|id| id.len() == 16));
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    let named = "model_list: [{model_name: m, litellm_params: {model: simulated/x}, model_info: {id: 7}}, {model_name: n, litellm_params: {model: simulated/y}, model_info: {id: '7'}}]";
    let loaded = table(named);
    assert_eq!(loaded.table.deployment("7").unwrap().group.as_str(), "n");
    assert!(loaded.warnings[0].what.contains("stands twice"), "{:?}", loaded.warnings);
}

#[test]
fn fallbacks_in_every_shape() {
    let shapes = [
        ("fallbacks: [{a: [b, c]}]", "(a > b > c on any)", 0),
        ("fallbacks: [{a: b}]", "(a > b on any)", 1),
        ("fallbacks: {a: [b]}", "(a > b on any)", 1),
        ("fallbacks: [b, c]", "(a > b > c on any)", 1),
        ("fallbacks: [{a: [b], c: [d]}]", "(a > b on any)", 1),
        ("fallbacks: [{model: a, fallback_model: b}]", "(a > b on any)", 2),
        ("fallbacks: [{model: a, fallbacks: [b]}]", "(a > b on any)", 1),
        ("fallbacks: [{a: [c]}, {a: [b]}]", "(a > c on any)", 1),
        ("fallbacks: [{a: [nope, b]}]", "(a > b on any)", 1),
        ("fallbacks: [{a: [openai/x-b]}]", "(a > b on any)", 1),
        ("fallbacks: [{a: [a, b]}]", "(a > b on any)", 1),
        ("fallbacks: [{a: [{model: b, temperature: 0}]}]", "(a > b{temperature=0} on any)", 0),
        ("fallbacks: [{'*': [b]}]", "(a > b on any)", 0),
        ("fallbacks: []", "a", 0),
        ("default_fallbacks: [b]", "(a > b on any)", 0),
        ("fallbacks: [{a: [c]}], default_fallbacks: [b]", "(a > c > b on any)", 0),
        ("fallbacks: true", "a", 1),
        ("context_window_fallbacks: [{a: [b]}]", "(a > b on context_window)", 0),
        ("context_window_fallbacks: [{model: a, context_window: 200000}]", "a", 1),
        ("content_policy_fallbacks: [{a: [b]}]", "(a > b on content_policy)", 0),
        ("fallbacks: [{a: [b, c]}], max_fallbacks: 0", "a", 0),
    ];
    for (shape, expected, warnings) in shapes {
        for section in ["router_settings", "litellm_settings"] {
            let loaded = table(&groups("a b c d", &format!("{section}: {{{shape}}}")));
            assert_eq!(way(&loaded, "a"), expected, "{shape}");
            assert_eq!(loaded.warnings.len(), warnings, "{shape}: {:?}", loaded.warnings);
        }
    }
}

#[test]
fn endless_fallbacks_are_cut() {
    let names: Vec<String> = (0..80).map(|i| format!("g{i}")).collect();
    let rest = format!("router_settings: {{default_fallbacks: [{}]}}", names.join(", "));
    let loaded = table(&groups(&names.join(" "), &rest));
    assert_eq!(way(&loaded, "g0").matches('g').count(), 64);
    assert!(loaded.warnings.iter().any(|warning| warning.what.contains("64 stops")), "{:?}", loaded.warnings);
}

#[test]
fn names_lead_where_they_should() {
    let list = "model_list:\n- {model_name: gpt, litellm_params: {model: openai/gpt-4o}}\n- {model_name: anthropic/*, litellm_params: {model: anthropic/*, api_key: k}}\n- {model_name: '*', litellm_params: {model: openai/*}}\n";
    check_way(
        &format!(
            "{list}router_settings: {{model_group_alias: {{a: gpt, h: {{model: gpt, hidden: true}}, bad: [gpt, x], c: a}}}}"
        ),
        "gpt a h c bad anthropic/claude openai/gpt-4o whatever",
        expect![[r#"
            gpt: gpt
            a: gpt
            h: gpt
            c: gpt
            bad: gpt
            anthropic/claude: anthropic/* [claude]
            openai/gpt-4o: gpt
            whatever: *
            warning: -:5: router_settings.model_group_alias.bad: a list stands where one group is meant (only "gpt" is used; make a model group of them)
        "#]],
    );
    let loaded = table(&groups(
        "a b",
        "router_settings: {model_group_alias: {v: a, h: {model: a, hidden: true}}}\nroutes: [{name: r, targets: [{group: a}]}]",
    ));
    let listed: Vec<_> = loaded.table.listed().iter().map(|model| model.name.as_str()).collect();
    assert_eq!(listed, ["a", "b", "v", "r"]);
}

#[test]
fn fallbacks_may_name_what_a_wildcard_matches() {
    let text = "model_list:\n- {model_name: a, litellm_params: {model: simulated/a}}\n- {model_name: anthropic/*, litellm_params: {model: anthropic/*, api_key: k, rpm: 5}}\nrouter_settings: {fallbacks: [{a: [anthropic/claude]}, {anthropic/*: [a]}, {anthropic/old: [anthropic/new]}]}";
    check_way(
        text,
        "a anthropic/claude anthropic/other anthropic/old",
        expect![[r#"
        a: (a > anthropic/claude on any)
        anthropic/claude: (anthropic/claude > a on any)
        anthropic/other: (anthropic/* > a > anthropic/claude on any) [other]
        anthropic/old: (anthropic/old > anthropic/new > a > anthropic/claude on any)
    "#]],
    );
    let loaded = table(text);
    let lent = loaded.table.group(&"anthropic/claude".into()).unwrap();
    assert_eq!(lent.deployments[0].model.as_str(), "claude");
    assert_eq!(loaded.table.deployment(lent.deployments[0].id.as_str()).unwrap().model.as_str(), "*");
    assert_eq!(loaded.table.deployments().count(), 2);
    assert_eq!(loaded.table.listed().len(), 1);
}

#[test]
fn levels_and_larger_siblings() {
    let levels = "model_list:\n- {model_name: m, litellm_params: {model: simulated/x}}\n- {model_name: m, litellm_params: {model: simulated/y, order: 2}}\n- {model_name: n, litellm_params: {model: simulated/z}}\nrouter_settings: {fallbacks: [{m: [n]}]}";
    check_way(
        levels,
        "m",
        expect![[r#"
        m: ((m#1 > m#2 on not context_window+content_policy) > n on any)
    "#]],
    );
    let list = "model_list:\n- {model_name: short, litellm_params: {model: openai/gpt-4}}\n- {model_name: long, litellm_params: {model: azure/d, api_base: 'https://r', api_key: k}, model_info: {base_model: azure/gpt-4-32k, max_input_tokens: 32768}}\n";
    check_way(
        list,
        "short long",
        expect![[r#"
        short: (short > long on context_window)
        long: long
    "#]],
    );
    let with_general = format!(
        "{list}- {{model_name: o, litellm_params: {{model: simulated/o}}}}\nrouter_settings: {{fallbacks: [{{short: [o]}}]}}"
    );
    check_way(
        &with_general,
        "short",
        expect![[r#"
        short: ((short > o on not context_window) > (long > o on any) on context_window)
    "#]],
    );
    check_way(&format!("{list}routing: {{context_window_siblings: off}}"), "short", expect!["short: short\n"]);
    check_way(
        &format!("{list}routing: {{context_window_siblings: {{long: [short]}}}}"),
        "short long",
        expect![[r#"
        short: short
        long: (long > short on context_window)
    "#]],
    );
}

#[test]
fn routing_groups_pool_models() {
    let loaded = table(&groups(
        "a b c",
        "router_settings:\n  routing_groups: [{group_name: pool, models: [a, b], routing_strategy: least-busy}]\n  fallbacks: [{pool: [c]}]\n",
    ));
    let strategy = |name: &str| loaded.table.group(&name.into()).unwrap().strategy.label();
    assert_eq!([strategy("pool"), strategy("a"), strategy("c")], ["least-busy", "least-busy", "least-usage"]);
    assert_eq!(loaded.table.group(&"pool".into()).unwrap().deployments.len(), 2);
    assert_eq!(way(&loaded, "pool"), "(pool > c on any)");
    assert_eq!(loaded.table.deployments().count(), 3);
}

#[test]
fn routes_compile_to_plans() {
    let routes = "routes:\n- name: support\n  strategy: {mode: fallback, on_status_codes: [429, 503]}\n  targets:\n  - {group: a, retry: {attempts: 2, on_status_codes: [500]}}\n  - strategy: {mode: loadbalance}\n    targets: [{group: b, weight: 3, request_timeout: 5000}, {group: c}]\n- name: one\n  targets: [{group: a, override_params: {temperature: 0}}]\n";
    check_way(
        &groups("a b c", routes),
        "support one",
        expect![[r#"
        support: (a(retries 2 [500]) > (b(timeout 5s) | c in 4 turns of route:support:routes[0].targets[1]) on [429, 503])
        one: a{temperature=0}
    "#]],
    );
}

#[test]
fn routes_over_models_are_choices() {
    let choice = |route: &str| {
        let loaded = table(&groups("a b c w/*", &format!("routes: [{{name: r, {route}}}]")));
        let choice = loaded.table.choice("r").unwrap();
        let terms = choice.models.iter().chain(&choice.default).map(|terms| {
            let messages = terms.messages.as_ref().map_or(0, Vec::len);
            format!(
                "{}*{} {:?} {:?} {:?} {messages}",
                terms.model, terms.weight, terms.attempts, terms.timeout, terms.backoff
            )
        });
        format!("{}: {}", if choice.is_weighted { "drawn" } else { "in order" }, terms.collect::<Vec<_>>().join("; "))
    };
    assert_eq!(
        choice(
            "models: [a, w/x, a], max_retries: {a: 2}, timeout: 1.5, backoff: {w/x: 0.5}, default: c, model_messages: {a: [{role: user}]}"
        ),
        "in order: a*1 Some(2) Some(1.5s) None 1; w/x*1 None Some(1.5s) Some(0.5) 0; c*1 None Some(1.5s) None 0"
    );
    assert_eq!(choice("models: {a: 3, b: 0}"), "drawn: a*3 None None None 0; b*0 None None None 0");
    for (route, said) in [
        ("models: [x]", "there is no model group \"x\""),
        ("models: []", "no model may be chosen"),
        ("models: {a: 0}", "no model may be chosen"),
        ("models: [a], default: x", "there is no model group \"x\""),
        ("models: [a], max_retries: 0", "0 is not above 0"),
        ("models: [a], timeout: {b: 1}", "\"b\" is not among `models`"),
        ("models: [a], model_messages: [{role: user}]", "the messages are of no model"),
        ("models: [a], strategy: {mode: single}", "there is no setting `strategy`"),
    ] {
        let text = groups("a b", &format!("routes: [{{name: r, {route}}}]"));
        let refused = load_text(&text, &catalog(), &environment()).unwrap_err();
        let problems: Vec<String> = refused.problems.iter().map(ToString::to_string).collect();
        assert!(problems.iter().any(|problem| problem.contains(said)), "{route}: {problems:?}");
    }
}

#[test]
fn settings_of_the_whole() {
    let rest = "general_settings: {master_key: os.environ/KEY, max_request_size_mb: 1, max_in_flight_requests_per_worker: 9, \
        allow_client_side_credentials: true, dangerously_allow_mock_testing_request_params: false}\n\
        litellm_settings: {require_auth_for_metrics_endpoint: true, json_logs: 'true', max_fallbacks: 2}\n\
        router_settings: {enable_pre_call_checks: 1, enable_tag_filtering: yes, tag_filtering_match_any: false}\n\
        server: {max_body_bytes: 1024, max_concurrent_requests: 5, response_headers: [weighbridge],\n\
        \x20 custom_hosts: [vllm, 10.4.0.0/16]}\n\
        routing: {max_wait: 1.5}\n";
    let loaded = table(&(one("") + rest));
    let (routing, server) = (&loaded.table.routing, &loaded.table.server);
    assert_eq!(server.access, Access::Key(Secret::new("sk-from-variable")));
    assert_eq!((server.max_body_bytes, server.max_concurrent_requests), (1024, 5));
    assert!(server.custom_hosts.permits([10, 4, 0, 1].into(), false));
    assert!(server.metrics_need_key && server.json_logs && !server.response_headers.litellm);
    assert_eq!((routing.max_wait.as_millis(), routing.max_fallbacks), (1500, 2));
    assert!(routing.pre_call_checks && routing.tag_filtering && !routing.tags_match_any);
    assert!(routing.client_credentials && !routing.client_mocks);
}

#[test]
fn variables_credentials_and_own_providers() {
    let text = "environment_variables: {MINE: sk-mine}\ncredential_list: [{credential_name: c, credential_values: {api_key: os.environ/MINE, api_base: 'https://c/v1'}}]\nproviders: {acme: {base_url: https://llm.acme.example/v1, api_key: os.environ/KEY}, gone: {base_url: https://g/v1, api_key: os.environ/NOPE}}\nprices: {acme/tune: {input_cost_per_token: 0.5, max_input_tokens: 32000}}\nmodel_list:\n- {model_name: a, litellm_params: {model: openai/x, litellm_credential_name: c}}\n- {model_name: b, litellm_params: {model: acme/tune}}\n- {model_name: g, litellm_params: {model: gone/x}}\nrouter_settings: {default_litellm_params: {timeout: 3}}\n";
    let loaded = table(text);
    let shown: Vec<String> = loaded
        .table
        .deployments()
        .map(|d| {
            let Auth::Bearer(secret) = &d.endpoint.auth else { panic!("no bearer") };
            format!(
                "{} {} {:?} {:?}",
                d.endpoint.base_url,
                secret.reveal(),
                d.max_input_tokens,
                d.timeouts.whole.unwrap()
            )
        })
        .collect();
    assert_eq!(shown, ["https://c/v1 sk-mine None 3s", "https://llm.acme.example/v1 sk-from-variable Some(32000) 3s"]);
    assert_eq!(loaded.table.left_out()[0].reason, "NOPE is not set");
}

#[test]
fn included_files_are_appended() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("main.yaml", &groups("a", "include: [more.yaml]\nrouter_settings: {num_retries: 1}\n"));
    write("more.yaml", &groups("b", "include: [main.yaml]\nrouter_settings: {num_retries: 7}\n"));
    let main = directory.path().join("main.yaml");
    let loaded = load(&main, &catalog(), &environment()).unwrap();
    assert_eq!(loaded.table.groups().map(|group| group.name.to_string()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(loaded.table.groups().next().unwrap().retry.retries, 7);
    assert_eq!(loaded.files.len(), 2);
    write("more.yaml", "model_list: [{model_name: 1}]");
    let refused = load(&main, &catalog(), &environment()).unwrap_err();
    assert!(refused.problems[0].file.ends_with("more.yaml"), "{:?}", refused.problems);
    std::fs::remove_file(directory.path().join("more.yaml")).unwrap();
    let refused = load(&main, &catalog(), &environment()).unwrap_err();
    assert_eq!((refused.problems[0].line, refused.problems[0].path.as_str()), (3, "include"));
}

#[test]
fn no_secret_in_any_message() {
    let text = "model_list:\n- {model_name: m, rpm: sk-secret-1, litellm_params: {model: openai/x, api_key: sk-secret-2, tpm: os.environ/KEY, timeout: 4f7a9b2c4f7a9b2c4f7a9b2c4f7a9b2c}}\ngeneral_settings: {master_key: sk-1234}\n";
    let refused = load_text(text, &catalog(), &environment()).unwrap_err();
    let all = format!("{:?}", refused.problems);
    assert!(!all.contains("secret") && !all.contains("4f7a") && !all.contains("from-variable"), "{all}");
    assert!(refused.problems.len() >= 4, "{all}");
}

/// Whatever is cut off or put in: a verdict, and no panic.
#[test]
fn torn_files_get_a_verdict() {
    let whole = include_str!("../../../router_config.yaml");
    let mut verdicts = [0, 0];
    for at in (0..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
        for text in [whole[..at].to_owned(), format!("{}\t: [{}", &whole[..at], &whole[at..])] {
            verdicts[usize::from(load_text(&text, &catalog(), &environment()).is_ok())] += 1;
        }
    }
    assert!(verdicts[0] > 100 && verdicts[1] > 100, "{verdicts:?}");
}
