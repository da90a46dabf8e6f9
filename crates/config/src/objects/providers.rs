//! Providers under the names that Portkey gives them.

/// Every name that Portkey's gateway takes.
pub(super) const NAMES: &[&str] = &[
    "anthropic",
    "anyscale",
    "azure-openai",
    "cohere",
    "google",
    "vertex-ai",
    "mistral-ai",
    "openai",
    "palm",
    "perplexity-ai",
    "reka-ai",
    "together-ai",
    "deepinfra",
    "ncompass",
    "stability-ai",
    "nomic",
    "ollama",
    "ai21",
    "bedrock",
    "groq",
    "segmind",
    "jina",
    "fireworks-ai",
    "workers-ai",
    "moonshot",
    "openrouter",
    "lingyi",
    "zhipu",
    "novita-ai",
    "monsterapi",
    "deepseek",
    "predibase",
    "triton",
    "voyage",
    "azure-ai",
    "github",
    "deepbricks",
    "siliconflow",
    "huggingface",
    "cerebras",
    "inference-net",
    "sambanova",
    "lemonfox-ai",
    "upstage",
    "lambda",
    "dashscope",
    "x-ai",
    "cortex",
    "sagemaker",
    "nebius",
    "recraft-ai",
    "milvus",
    "replicate",
    "portkey",
    "lepton",
    "kluster-ai",
    "nscale",
    "hyperbolic",
    "bytez",
    "featherless-ai",
    "krutrim",
    "qdrant",
    "302ai",
    "cometapi",
    "matterai",
    "meshy",
    "tripo3d",
    "nextbit",
    "modal",
    "z-ai",
    "oracle",
    "iointelligence",
    "aibadgr",
    "ovhcloud",
];

/// Those of them whose row has another name here.
const OTHERWISE: &[(&str, &str)] = &[
    ("azure-ai", "azure_ai"),
    ("azure-openai", "azure"),
    ("featherless-ai", "featherless_ai"),
    ("fireworks-ai", "fireworks_ai"),
    ("google", "gemini"),
    ("jina", "jina_ai"),
    ("lambda", "lambda_ai"),
    ("mistral-ai", "mistral"),
    ("novita-ai", "novita"),
    // The gateway speaks to its OpenAI-compatible API.
    ("ollama", "ollama_openai"),
    ("oracle", "oci"),
    ("perplexity-ai", "perplexity"),
    ("recraft-ai", "recraft"),
    ("together-ai", "together_ai"),
    ("vertex-ai", "vertex_ai"),
    ("x-ai", "xai"),
    ("z-ai", "zai"),
    ("zhipu", "zai"),
];

/// The name that the provider's row has here.
pub(crate) fn row_name(name: &str) -> &str {
    OTHERWISE.iter().find(|(theirs, _)| *theirs == name).map_or(name, |(_, ours)| ours)
}

/// The name that Portkey gives to the provider of the row `name`.
pub fn portkey_name(name: &str) -> &str {
    OTHERWISE.iter().find(|(_, ours)| *ours == name).map_or(name, |(theirs, _)| theirs)
}

#[cfg(test)]
mod tests {
    use super::{portkey_name, row_name};

    #[test]
    fn names_lead_back_to_themselves() {
        for name in ["openai", "ollama", "azure-openai", "google", "together-ai", "x-ai", "z-ai"] {
            assert_eq!(portkey_name(row_name(name)), name);
        }
        assert_eq!(row_name("zhipu"), "zai");
    }
}
