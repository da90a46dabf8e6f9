//! Every provider there is a row for. One more OpenAI-compatible provider is one more line here,
//! or one more entry of `providers:` in YAML.

use weighbridge_domain::limits::ChargeBasis;
use weighbridge_domain::provider::{AuthStyle, Catalog, PathStyle, Provider, Wire};

/// All providers, and those that are known but not served.
pub fn catalog() -> Catalog {
    let mut providers: Vec<Provider> = HOSTED.iter().map(|row| hosted(*row)).collect();
    providers.extend(OWN_SERVERS.iter().map(|row| own_server(*row)));
    providers.extend([azure("azure"), azure("azure_text"), azure_ai(), simulated()]);
    providers.extend(["bedrock", "bedrock_converse"].map(bedrock));
    providers.extend(["vertex_ai", "vertex_ai_beta"].map(vertex));
    for (name, wire, key_header) in FORMATS {
        for provider in providers.iter_mut().filter(|provider| provider.name == *name) {
            provider.wire = *wire;
            provider.auth = key_header.map_or(AuthStyle::Bearer, |header| AuthStyle::Header(header.to_owned()));
        }
    }
    for provider in &mut providers {
        provider.aliases =
            ALIASES.iter().filter(|(_, name)| *name == provider.name).map(|(alias, _)| (*alias).to_owned()).collect();
        if matches!(provider.name.as_str(), "openai" | "azure" | "text-completion-openai") {
            provider.basis = ChargeBasis::ReserveMax;
        }
        provider.responses = matches!(provider.name.as_str(), "openai" | "azure");
    }
    let unsupported = UNSUPPORTED.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect();
    Catalog::new(providers, unsupported)
}

/// Prefix, base URL and the variable that holds the key by custom.
const HOSTED: &[(&str, &str, &str)] = &[
    ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    ("text-completion-openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    ("anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
    ("gemini", "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"),
    ("cohere", "https://api.cohere.com/v2", "COHERE_API_KEY"),
    ("ai21", "https://api.ai21.com/studio/v1", "AI21_API_KEY"),
    ("anyscale", "https://api.endpoints.anyscale.com/v1", "ANYSCALE_API_KEY"),
    ("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    ("dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    ("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    ("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    ("featherless_ai", "https://api.featherless.ai/v1", "FEATHERLESS_AI_API_KEY"),
    ("fireworks_ai", "https://api.fireworks.ai/inference/v1", "FIREWORKS_AI_API_KEY"),
    ("friendliai", "https://api.friendli.ai/serverless/v1", "FRIENDLI_TOKEN"),
    ("galadriel", "https://api.galadriel.com/v1", "GALADRIEL_API_KEY"),
    ("github", "https://models.github.ai/inference", "GITHUB_API_KEY"),
    ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    ("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN"),
    ("hyperbolic", "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    ("jina_ai", "https://api.jina.ai/v1", "JINA_AI_API_KEY"),
    ("lambda_ai", "https://api.lambda.ai/v1", "LAMBDA_API_KEY"),
    ("meta_llama", "https://api.llama.com/compat/v1", "LLAMA_API_KEY"),
    ("minimax", "https://api.minimax.io/v1", "MINIMAX_API_KEY"),
    ("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    ("codestral", "https://codestral.mistral.ai/v1", "CODESTRAL_API_KEY"),
    ("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    ("nebius", "https://api.studio.nebius.ai/v1", "NEBIUS_API_KEY"),
    ("novita", "https://api.novita.ai/v3/openai", "NOVITA_API_KEY"),
    ("nscale", "https://inference.api.nscale.com/v1", "NSCALE_API_KEY"),
    ("nvidia_nim", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    ("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    ("perplexity", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    ("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    ("together_ai", "https://api.together.xyz/v1", "TOGETHERAI_API_KEY"),
    ("volcengine", "https://ark.cn-beijing.volces.com/api/v3", "VOLCENGINE_API_KEY"),
    ("voyage", "https://api.voyageai.com/v1", "VOYAGE_API_KEY"),
    ("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    ("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
];

/// Servers of one's own: prefix, usual base URL (empty when there is none), variables of the base
/// URL and of the key, which may be missing.
const OWN_SERVERS: &[(&str, &str, &str, &str)] = &[
    ("hosted_vllm", "", "HOSTED_VLLM_API_BASE", "HOSTED_VLLM_API_KEY"),
    ("vllm", "", "HOSTED_VLLM_API_BASE", "HOSTED_VLLM_API_KEY"),
    ("openai_like", "", "OPENAI_LIKE_API_BASE", "OPENAI_LIKE_API_KEY"),
    ("custom_openai", "", "OPENAI_LIKE_API_BASE", "OPENAI_LIKE_API_KEY"),
    ("litellm_proxy", "", "LITELLM_PROXY_API_BASE", "LITELLM_PROXY_API_KEY"),
    ("databricks", "", "DATABRICKS_API_BASE", "DATABRICKS_API_KEY"),
    ("cloudflare", "", "CLOUDFLARE_API_BASE", "CLOUDFLARE_API_KEY"),
    ("infinity", "", "INFINITY_API_BASE", "INFINITY_API_KEY"),
    ("xinference", "http://localhost:9997/v1", "XINFERENCE_API_BASE", "XINFERENCE_API_KEY"),
    ("ollama", "http://localhost:11434", "OLLAMA_API_BASE", "OLLAMA_API_KEY"),
    ("ollama_chat", "http://localhost:11434", "OLLAMA_API_BASE", "OLLAMA_API_KEY"),
    // Its OpenAI-compatible API, which Portkey's gateway speaks to it.
    ("ollama_openai", "http://localhost:11434/v1", "OLLAMA_API_BASE", "OLLAMA_API_KEY"),
    ("lm_studio", "http://localhost:1234/v1", "LM_STUDIO_API_BASE", "LM_STUDIO_API_KEY"),
    ("llamafile", "http://localhost:8080/v1", "LLAMAFILE_API_BASE", "LLAMAFILE_API_KEY"),
    (
        "docker_model_runner",
        "http://localhost:12434/engines/v1",
        "DOCKER_MODEL_RUNNER_API_BASE",
        "DOCKER_MODEL_RUNNER_API_KEY",
    ),
];

/// Providers with formats of their own, and how their keys travel.
const FORMATS: &[(&str, Wire, Option<&str>)] = &[
    ("anthropic", Wire::Anthropic, Some("x-api-key")),
    ("gemini", Wire::Gemini, Some("x-goog-api-key")),
    ("cohere", Wire::Cohere, None),
    ("ollama", Wire::Ollama, None),
    ("ollama_chat", Wire::Ollama, None),
];

/// Spellings people write, and the row they mean.
const ALIASES: &[(&str, &str)] = &[
    ("together", "together_ai"),
    ("togetherai", "together_ai"),
    ("google", "gemini"),
    ("google_ai_studio", "gemini"),
    ("claude", "anthropic"),
    ("mistralai", "mistral"),
    ("fireworks", "fireworks_ai"),
    ("nvidia", "nvidia_nim"),
    ("grok", "xai"),
    ("x-ai", "xai"),
    ("zhipu", "zai"),
    ("zhipuai", "zai"),
    ("meta-llama", "meta_llama"),
    ("github_models", "github"),
    ("azure_openai", "azure"),
    ("azure-openai", "azure"),
    ("cohere_chat", "cohere"),
    ("vertex", "vertex_ai"),
    ("perplexityai", "perplexity"),
    ("lmstudio", "lm_studio"),
    ("lm-studio", "lm_studio"),
    ("kimi", "moonshot"),
    ("qwen", "dashscope"),
    ("open_router", "openrouter"),
    ("openai_compatible", "openai_like"),
    ("openai-compatible", "openai_like"),
];

/// Known, but not served: each needs a wire format or a way to sign requests that this version lacks.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("sagemaker", "AWS request signing is not built in; use an OpenAI-compatible endpoint with openai_like/"),
    ("sagemaker_chat", "AWS request signing is not built in; use an OpenAI-compatible endpoint with openai_like/"),
    ("palm", "the PaLM API is gone; use gemini/"),
    ("watsonx", "IBM Cloud tokens are not built in; use an OpenAI-compatible endpoint with openai_like/"),
    ("replicate", "Replicate's prediction API is not built in"),
    ("predibase", "Predibase's API is not built in; use its OpenAI-compatible endpoint with openai_like/"),
    ("petals", "Petals' API is not built in"),
    ("nlp_cloud", "NLP Cloud's API is not built in"),
    ("aleph_alpha", "Aleph Alpha's API is not built in"),
    ("snowflake", "Snowflake's API is not built in"),
    ("oci", "Oracle Cloud request signing is not built in"),
    ("sap", "SAP AI Core credentials are not built in"),
    ("triton", "Triton's API is not built in; use its OpenAI-compatible frontend with openai_like/"),
    ("github_copilot", "GitHub Copilot's device login is not built in; use github/"),
    ("chatgpt", "ChatGPT's device login is not built in; use openai/ with an API key"),
    ("auto_router", "routers that read the prompt are not built in; name a model group"),
    ("bytez", "Bytez' API is not built in"),
    ("topaz", "Topaz' API is not built in"),
    ("deepgram", "Deepgram's API is not built in"),
    ("elevenlabs", "ElevenLabs' API is not built in"),
    ("assemblyai", "AssemblyAI's API is not built in"),
    ("recraft", "Recraft's API is not built in"),
];

/// A row that needs a key.
fn keyed(name: &str) -> Provider {
    Provider { key_optional: false, ..Provider::openai_compatible(name) }
}

fn hosted((name, base_url, key): (&str, &str, &str)) -> Provider {
    let further_key = match name {
        "gemini" => Some("GOOGLE_API_KEY"),
        "fireworks_ai" => Some("FIREWORKS_API_KEY"),
        "together_ai" => Some("TOGETHER_API_KEY"),
        "perplexity" => Some("PERPLEXITY_API_KEY"),
        "huggingface" => Some("HUGGINGFACE_API_KEY"),
        "openrouter" => Some("OR_API_KEY"),
        "github" => Some("GITHUB_TOKEN"),
        _ => None,
    };
    let base_variable = key.strip_suffix("_API_KEY").map(|stem| format!("{stem}_API_BASE"));
    // The OpenAI SDK's own name for it.
    let sdk_variable = (name == "openai").then(|| "OPENAI_BASE_URL".to_owned());
    Provider {
        base_url: Some(base_url.to_owned()),
        key_variables: std::iter::once(key).chain(further_key).map(str::to_owned).collect(),
        base_variables: sdk_variable.into_iter().chain(base_variable).collect(),
        ..keyed(name)
    }
}

fn own_server((name, base_url, base_variable, key_variable): (&str, &str, &str, &str)) -> Provider {
    Provider {
        base_url: (!base_url.is_empty()).then(|| base_url.to_owned()),
        key_variables: vec![key_variable.to_owned()],
        base_variables: vec![base_variable.to_owned()],
        ..Provider::openai_compatible(name)
    }
}

fn azure(name: &str) -> Provider {
    Provider {
        auth: AuthStyle::Entra { key_header: "api-key".to_owned() },
        key_variables: vec!["AZURE_API_KEY".to_owned(), "AZURE_OPENAI_API_KEY".to_owned()],
        base_variables: vec!["AZURE_API_BASE".to_owned(), "AZURE_OPENAI_ENDPOINT".to_owned()],
        paths: PathStyle::Azure,
        basis: ChargeBasis::ReserveMax,
        ..keyed(name)
    }
}

/// Azure's model catalogue: plain paths, Azure's key header.
fn azure_ai() -> Provider {
    Provider {
        auth: AuthStyle::Entra { key_header: "api-key".to_owned() },
        key_variables: vec!["AZURE_AI_API_KEY".to_owned()],
        base_variables: vec!["AZURE_AI_API_BASE".to_owned()],
        ..keyed("azure_ai")
    }
}

/// Amazon Bedrock. Its host follows from the region; a key of its own is sent as `Bearer`.
fn bedrock(name: &str) -> Provider {
    Provider {
        base_url: Some("https://bedrock-runtime.{region}.amazonaws.com".to_owned()),
        auth: AuthStyle::Aws { service: "bedrock".to_owned() },
        key_variables: vec!["AWS_BEARER_TOKEN_BEDROCK".to_owned()],
        base_variables: vec!["AWS_BEDROCK_RUNTIME_ENDPOINT".to_owned()],
        wire: Wire::Bedrock,
        ..keyed(name)
    }
}

/// Google's Vertex AI. Its host and paths follow from project and location, its format from the model's publisher.
fn vertex(name: &str) -> Provider {
    Provider {
        base_url: Some("https://{google_host}".to_owned()),
        auth: AuthStyle::Google,
        base_variables: vec!["VERTEXAI_API_BASE".to_owned()],
        paths: PathStyle::Vertex,
        wire: Wire::Gemini,
        ..keyed(name)
    }
}

/// Answers made in this process.
fn simulated() -> Provider {
    Provider { auth: AuthStyle::None, wire: Wire::Simulated, ..Provider::openai_compatible("simulated") }
}

#[cfg(test)]
mod tests {
    use weighbridge_domain::provider::Known;

    use super::{ALIASES, AuthStyle, UNSUPPORTED, catalog};

    #[test]
    fn every_name_stands_for_one_thing() {
        let catalog = catalog();
        let mut names: Vec<&str> = catalog.providers().iter().map(|p| p.name.as_str()).collect();
        names.extend(UNSUPPORTED.iter().map(|(name, _)| *name));
        names.extend(ALIASES.iter().map(|(alias, _)| *alias));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for (alias, name) in ALIASES {
            assert!(matches!(catalog.find(alias), Known::MeantProbably(row) if row.name == *name), "{alias}");
        }
    }

    #[test]
    fn base_urls_have_no_trailing_slash() {
        for provider in catalog().providers() {
            assert!(provider.base_url.as_deref().is_none_or(|url| url.starts_with("http") && !url.ends_with('/')));
            let has_key = provider.key_optional || !provider.key_variables.is_empty();
            assert!(has_key || provider.auth == AuthStyle::Google, "{}", provider.name);
        }
    }
}
